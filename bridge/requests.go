package bridge

import (
	"context"
	"encoding/json"
	"time"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	wire "matrix-messenger/xmppside/presence"
)

// What the service says about becoming contacts (messenger-protocol.md 6.3). Everything here runs on the goroutine that reads the stream: it stores, and leaves what is
// slow to the account's request worker (requests_worker.go).
//
// A request from somebody goes pending → accepting → accepted, or pending → declining → declined. The two states in the middle are the user's decision while the service has not been
// told yet; they survive restarts of both sides. The user's own requests go pending → accepted or declined.

// maxRequests bounds how many undecided requests of one account are kept. The service delivers further ones again at the next sign-in.
const maxRequests = 1000

// subscription is told of a subscribe, subscribed, unsubscribe or unsubscribed.
func (p *people) subscription(ctx context.Context, ev xmppside.Subscription) error {
	who := bareID(ev.From)
	if ev.From.Localpart() == "" || who == p.cl.id() {
		return nil
	}
	switch ev.Type {
	case wire.Subscribe:
		return p.asked(ctx, who, ev)
	case wire.Subscribed:
		return p.answered(ctx, who, database.RequestAccepted, noticeTheyAccepted)
	case wire.Unsubscribed:
		return p.answered(ctx, who, database.RequestDeclined, noticeTheyDeclined)
	case wire.Unsubscribe:
		return p.withdrawn(ctx, who)
	}
	return nil
}

// asked notes a request, or answers one that is none.
func (p *people) asked(ctx context.Context, who string, ev xmppside.Subscription) error {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), who)
	if err != nil {
		return err
	}
	out, found, err := p.cl.c.db.Request.Get(ctx, p.cl.id(), who, database.RequestOut)
	if err != nil {
		return err
	}
	if relation(contact).Approves() || found && out.State == database.RequestPending {
		return p.approve(ctx, ev.FromRaw)
	}
	fresh, err := p.noteRequest(ctx, who, ev)
	if err != nil {
		return err
	}
	p.rename(ctx, who, ev)
	if fresh {
		p.cl.log.Info().Msg("Somebody asks to become a contact")
	}
	p.kick()
	return nil
}

// noteRequest stores a request. From then on messages of this person wait.
func (p *people) noteRequest(ctx context.Context, who string, ev xmppside.Subscription) (fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, err := p.undecided(ctx)
	if err != nil {
		return false, err
	}
	if _, known := waiting[who]; !known && len(waiting) >= maxRequests {
		p.cl.log.Warn().Int("waiting", len(waiting)).Msg("A contact request was left at the service, because too many are undecided")
		return false, nil
	}
	if _, telling := p.declining[who]; telling {
		p.declining[who] = &ev // asked again, right after being declined
		return false, nil
	}
	stored, fresh, err := p.cl.c.db.Request.Open(ctx, database.Request{
		LoginID: p.cl.id(), JID: who, Direction: database.RequestIn, JIDAsSent: ev.FromRaw, Nick: ev.Nick, Text: ev.Text,
	})
	if err != nil {
		p.lookAgain(who)
		return false, err
	}
	if stored.State == database.RequestPending {
		waiting[who] = struct{}{}
	}
	return fresh, nil
}

// undecided is the set of people whose requests wait for the user. The caller holds the lock.
func (p *people) undecided(ctx context.Context) (map[string]struct{}, error) {
	if p.waiting == nil {
		rows, err := p.cl.c.db.Request.List(ctx, p.cl.id(), database.RequestIn, database.RequestPending)
		if err != nil {
			return nil, err
		}
		p.waiting = make(map[string]struct{}, len(rows))
		for _, row := range rows {
			p.waiting[row.JID] = struct{}{}
		}
	}
	return p.waiting, nil
}

// isUndecided tells whether a person's request waits for the user.
func (p *people) isUndecided(ctx context.Context, who string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, err := p.undecided(ctx)
	_, found := waiting[who]
	return err == nil && found
}

// rename keeps the name that somebody gives to themselves.
func (p *people) rename(ctx context.Context, who string, ev xmppside.Subscription) {
	contact, changed, err := p.cl.c.db.Contact.Update(ctx, p.cl.id(), who, func(c *database.Contact) {
		if ev.Nick != "" {
			c.Nick = ev.Nick
		}
		if !c.InRoster {
			c.JIDAsSent = ev.FromRaw
		}
	})
	if err != nil {
		p.cl.log.Err(err).Msg("A nickname could not be stored")
	} else if changed {
		p.changed([]database.Contact{contact})
	}
}

// approve answers a request without asking the user. When the stream breaks before it is sent, the service asks again.
func (p *people) approve(ctx context.Context, to string) error {
	if session := p.cl.session(); session != nil {
		if err := session.SendSubscription(ctx, wire.Subscribed, to, "", ""); err != nil {
			p.cl.log.Debug().Err(err).Msg("A request of a contact could not be answered yet")
		}
	}
	return nil
}

// answered settles a request of the user's own.
func (p *people) answered(ctx context.Context, who string, state database.RequestState, sentence string) error {
	row, found, err := p.cl.c.db.Request.Get(ctx, p.cl.id(), who, database.RequestOut)
	if err != nil || !found || row.State != database.RequestPending {
		return err
	}
	moved := false
	name := p.privateName(ctx, who)
	err = p.cl.c.db.Write(ctx, func(ctx context.Context) (err error) {
		moved, err = p.cl.c.db.Request.Decide(ctx, p.cl.id(), who, database.RequestOut, state, database.RequestPending)
		if err != nil || !moved {
			return err
		}
		return p.putNote(ctx, who, named(sentence, name))
	})
	if moved && err == nil {
		p.cl.inbound.kick(who)
		p.pictures.want(who)
	}
	return err
}

// withdrawn forgets a request that its sender took back.
func (p *people) withdrawn(ctx context.Context, who string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, err := p.undecided(ctx)
	if err != nil {
		return err
	}
	moved := false
	err = p.cl.c.db.Write(ctx, func(ctx context.Context) (err error) {
		moved, err = p.cl.c.db.Request.Decide(ctx, p.cl.id(), who, database.RequestIn, database.RequestWithdrawn, database.RequestPending)
		if err != nil || !moved {
			return err
		}
		return p.dropHeld(ctx, who)
	})
	if err != nil {
		p.lookAgain(who)
		return err
	}
	delete(waiting, who)
	if moved {
		p.kick()
	}
	return nil
}

// decide notes the user's answer to a request: held messages go into the chat, or away. moved is false when there is no undecided request.
func (p *people) decide(ctx context.Context, who string, accept bool) (moved bool, err error) {
	state := database.RequestDeclining
	if accept {
		state = database.RequestAccepting
	}
	moved, err = p.settle(ctx, who, state)
	if moved {
		p.carryOut(who)
	}
	return moved, err
}

// carryOut gets going what follows from a decision.
func (p *people) carryOut(who string) {
	p.cl.inbound.kick(who)
	p.kick()
}

// settle takes a request out of the undecided ones. The lock keeps a message that comes in meanwhile from being held for ever.
func (p *people) settle(ctx context.Context, who string, state database.RequestState) (moved bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, err := p.undecided(ctx)
	if err != nil {
		return false, err
	}
	if _, found := waiting[who]; !found {
		return false, nil
	}
	err = p.cl.c.db.Write(ctx, func(ctx context.Context) (err error) {
		moved, err = p.cl.c.db.Request.Decide(ctx, p.cl.id(), who, database.RequestIn, state, database.RequestPending)
		if err != nil || !moved {
			return err
		}
		if state == database.RequestDeclining {
			return p.dropHeld(ctx, who)
		}
		if err = p.cl.c.db.ArchiveRead.Readmit(ctx, p.cl.id(), who); err != nil {
			return err
		}
		_, beyond, err := p.cl.c.db.Held.Release(ctx, p.cl.id(), who, who, kindMessage)
		if err == nil && beyond {
			err = p.putNote(ctx, who, noticeHeldBeyond)
		}
		return err
	})
	if err != nil {
		p.lookAgain(who)
		return false, err
	}
	delete(waiting, who) // also when it was decided before
	return moved, nil
}

// lookAgain is called with the lock after an error of the database that may have come after the change: then somebody is
// decided about all the same, and their messages must not be held any more.
func (p *people) lookAgain(who string) {
	p.waiting = nil
	p.carryOut(who)
}

// hold keeps a message of somebody who is not accepted yet. taken is false when the message is to be shown at once.
func (p *people) hold(ctx context.Context, row incoming) (taken bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, err := p.undecided(ctx)
	if err != nil {
		return false, err
	}
	if _, found := waiting[row.From]; !found {
		return false, nil
	}
	body, err := json.Marshal(row)
	if err != nil {
		return false, err
	}
	kept, err := p.cl.c.db.Held.Put(ctx, 0, database.HeldMessage{
		LoginID: p.cl.id(), JID: row.From, DedupeKey: newKey(), Body: body, Stamp: row.stamp(),
	})
	if err == nil && !kept {
		p.cl.log.Warn().Int("kept", database.DefaultHeldMessages).Msg("A message was dropped: too many of its sender wait for the user's decision")
	}
	return true, err
}

// putNote stores a sentence of the bridge at the end of a chat.
func (p *people) putNote(ctx context.Context, who, sentence string) error {
	return p.cl.inbound.put(ctx, who, kindNotice, newKey(), incoming{From: who, Text: sentence, Time: time.Now()})
}

// note is putNote that also gets the chat going.
func (p *people) note(ctx context.Context, who, sentence string) error {
	if err := p.putNote(ctx, who, sentence); err != nil {
		return err
	}
	p.cl.inbound.kick(who)
	return nil
}
