package bridge

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/iq"
	wire "matrix-messenger/xmppside/presence"
	"matrix-messenger/xmppside/roster"
)

// requestWorker brings what the table of requests says into Matrix and to the service: rooms for those who ask, answers for those who were answered, the user's own requests. Its
// goroutine exists while there is something to do; what fails for a passing reason is tried again, what needs a session waits for the next one.
type requestWorker struct {
	mu      sync.Mutex
	running bool
	again   bool

	// refused are the people whose accepted requests the service has not taken, by the session in which it was told last. The
	// worker alone uses it.
	refused map[string]uint64
}

// keepRequests is how long decided requests are remembered.
const keepRequests = 30 * 24 * time.Hour

// kick makes sure that the table is looked through. It returns at once.
func (p *people) kick() {
	p.worker.mu.Lock()
	defer p.worker.mu.Unlock()
	if p.worker.running {
		p.worker.again = true
		return
	}
	p.worker.running = true
	p.cl.c.spawn(p.workRequests)
}

func (p *people) workRequests(ctx context.Context) {
	ctx = p.cl.log.WithContext(ctx)
	for attempt := 0; ctx.Err() == nil && p.cl.IsLoggedIn(); {
		err := p.requestRound(ctx)
		if err == nil {
			attempt = 0
			if p.restRequests(false) {
				return
			}
			continue
		}
		attempt++
		p.cl.log.Warn().Err(err).Int("attempt", attempt).Msg("A contact request could not be handled yet")
		if !sleep(ctx, backoff(attempt)) {
			break
		}
	}
	p.restRequests(true)
}

// restRequests ends the worker unless something has come in meanwhile.
func (p *people) restRequests(force bool) bool {
	p.worker.mu.Lock()
	defer p.worker.mu.Unlock()
	if p.worker.again && !force {
		p.worker.again = false
		return false
	}
	p.worker.running, p.worker.again = false, false
	return true
}

// requestRound does everything that can be done now. A request that fails does not keep the others from their turn.
func (p *people) requestRound(ctx context.Context) error {
	rows, err := p.cl.c.db.Request.List(ctx, p.cl.id(), "", "")
	if err != nil {
		return err
	}
	var problems []error
	var pending []database.Request
	for _, row := range rows {
		if row.Direction == database.RequestIn && row.State == database.RequestPending {
			pending = append(pending, row)
			continue
		}
		problems = append(problems, p.stepRequest(ctx, row))
	}
	problems = append(problems, p.inviteAll(ctx, pending))
	return errors.Join(problems...)
}

// stepRequest takes one request that is not waiting for the user one step further.
func (p *people) stepRequest(ctx context.Context, row database.Request) error {
	session := p.cl.session()
	switch {
	case row.Direction == database.RequestOut:
		if row.State == database.RequestPending && row.NotifiedAt.IsZero() && session != nil {
			return p.tellAsked(ctx, session, row)
		}
	case row.State == database.RequestDeclining, row.State == database.RequestWithdrawn, row.State == database.RequestDeclined:
		if row.RoomID != "" {
			if err := p.closeRequestRoom(ctx, row); err != nil {
				return err
			}
		}
		if row.State == database.RequestDeclining && session != nil {
			return p.tellDeclined(ctx, session, row)
		}
	case row.State == database.RequestAccepting && session != nil:
		return p.tellAccepted(ctx, session, row)
	}
	if row.Decided() && time.Since(row.UpdatedAt) > keepRequests {
		return p.cl.c.db.Request.Delete(ctx, row.LoginID, row.JID, row.Direction)
	}
	return nil
}

// tellAccepted tells the service of an accepted request: `subscribed`, and `subscribe` for the other direction. All of it
// may be sent again after a break; the service's tables make repeats harmless. The contact is only put on the list when that
// did not happen by itself, because a set for somebody who is on it is refused.
//
// Only the roster says whether the service has taken the answer (messenger-protocol.md 6.3, 16). While it has not, the chat is
// there all the same, and each new session tells the service once more; the user is told once.
func (p *people) tellAccepted(ctx context.Context, session *xmppside.Session, row database.Request) error {
	if p.worker.refused[row.JID] == session.ID() {
		return p.acceptedLate(ctx, row)
	}
	if row.RoomID == database.RoomBeingMade {
		room, err := p.settleRoom(ctx, row)
		if err != nil {
			return err
		}
		row.RoomID = string(room)
	}
	if err := session.SendSubscription(ctx, wire.Subscribed, row.JIDAsSent, "", ""); err != nil {
		return err
	}
	if err := session.SendSubscription(ctx, wire.Subscribe, row.JIDAsSent, p.ownName(ctx, session), ""); err != nil {
		return err
	}
	if err := session.Barrier(ctx); err != nil {
		return err
	}
	address, err := jid.Parse(row.JIDAsSent)
	if err == nil { // what the service sent as a sender is an address
		err = p.ensureListed(ctx, session, row.JID, address)
	}
	if err != nil {
		return err
	}
	contact, _, err := p.cl.c.db.Contact.Get(ctx, row.LoginID, row.JID)
	if err != nil {
		return err
	}
	if relation(contact).Approves() {
		if _, err = p.cl.c.db.Request.Decide(ctx, row.LoginID, row.JID, row.Direction, database.RequestAccepted, database.RequestAccepting); err != nil {
			return err
		}
		p.kick() // an answer makes room for another invite
	} else if err = p.acceptRefused(ctx, session, row); err != nil {
		return err
	}
	p.pictures.want(row.JID)
	if row.RoomID == "" {
		p.makeRooms([]string{row.JID})
		return nil
	}
	return p.endMessageRequest(row)
}

// acceptedLate settles a request whose answer the service did not seem to take, if the list shows by now that they are contacts: it came
// late, or another program of the user has accepted.
func (p *people) acceptedLate(ctx context.Context, row database.Request) error {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, row.LoginID, row.JID)
	if err != nil || !relation(contact).Approves() {
		return err
	}
	delete(p.worker.refused, row.JID)
	_, err = p.cl.c.db.Request.Decide(ctx, row.LoginID, row.JID, row.Direction, database.RequestAccepted, database.RequestAccepting)
	p.kick() // an answer makes room for another invite
	return err
}

// acceptRefused tells the user once that the service has not taken the answer to a request, which stays to be told.
func (p *people) acceptRefused(ctx context.Context, session *xmppside.Session, row database.Request) error {
	p.cl.log.Info().Msg("The service has not made a contact of somebody who was accepted")
	if row.NotifiedAt.IsZero() {
		if err := p.note(ctx, row.JID, named(noticeAcceptRefused, p.name(ctx, row.JID))); err != nil {
			return err
		}
		if err := p.cl.c.db.Request.MarkNotified(ctx, row.LoginID, row.JID, row.Direction); err != nil {
			return err
		}
	}
	if p.worker.refused == nil {
		p.worker.refused = map[string]uint64{}
	}
	p.worker.refused[row.JID] = session.ID()
	return nil
}

// ensureListed puts a contact on the list unless it is there: a set for somebody who is on it would be refused, or take the
// name away that the user has given them elsewhere. A refusal is not fatal as long as the subscription stands, and a service
// that says nothing has refused (messenger-protocol.md 6.2, 16).
func (p *people) ensureListed(ctx context.Context, session *xmppside.Session, who string, address jid.JID) error {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), who)
	if err != nil || contact.InRoster {
		return err
	}
	within, cancel := context.WithTimeout(ctx, rosterAddTimeout)
	defer cancel()
	err = roster.Add(within, session, address, "")
	if silent := errors.Is(within.Err(), context.DeadlineExceeded) && ctx.Err() == nil; err != nil && !iq.Answered(err) && !silent {
		return err
	} else if err != nil {
		p.cl.log.Info().Err(err).Msg("The service did not put a contact on the list")
	}
	return nil
}

// rosterAddTimeout is how long the service may take to put a contact on the list.
const rosterAddTimeout = 10 * time.Second

// tellDeclined tells the service of a declined request. Behind the first barrier everything has come that the service repeats at a sign-in; a request that comes after the
// answer was written is a new one.
func (p *people) tellDeclined(ctx context.Context, session *xmppside.Session, row database.Request) error {
	if err := session.Barrier(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	if p.declining == nil {
		p.declining = map[string]*xmppside.Subscription{}
	}
	p.declining[row.JID] = nil
	p.mu.Unlock()
	err := p.sendDecline(ctx, session, row)
	if err == nil {
		err = session.Barrier(ctx)
	}
	if err == nil {
		_, err = p.cl.c.db.Request.Decide(ctx, row.LoginID, row.JID, row.Direction, database.RequestDeclined, database.RequestDeclining)
	}
	p.mu.Lock()
	again := p.declining[row.JID]
	delete(p.declining, row.JID)
	p.mu.Unlock()
	p.kick() // an answer makes room for another invite
	if err == nil && again != nil {
		return p.asked(ctx, row.JID, *again)
	}
	return err
}

// sendDecline sends the answer to a declined request, unless it has been accepted by another program of the user meanwhile:
// then it would end the relation, which the service does not support (messenger-protocol.md 6.2), or do nothing.
func (p *people) sendDecline(ctx context.Context, session *xmppside.Session, row database.Request) error {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, row.LoginID, row.JID)
	if err != nil {
		return err
	}
	if is := relation(contact).Subscription; is == roster.From || is == roster.Both {
		key := "declined too late " + row.LoginID + " " + row.JID + " " + strconv.FormatInt(row.CreatedAt.UnixMilli(), 36)
		return p.cl.tellSurely(ctx, key, named(noticeDeclinedTooLate, p.privateName(ctx, row.JID)))
	}
	return session.SendSubscription(ctx, wire.Unsubscribed, row.JIDAsSent, "", "")
}

// tellAsked sends the user's own request: on the list by JID, then `subscribe` with the own name.
func (p *people) tellAsked(ctx context.Context, session *xmppside.Session, row database.Request) error {
	address, err := jid.Parse(row.JIDAsSent)
	if err != nil {
		return p.answered(ctx, row.JID, database.RequestDeclined, noticeAddRefused)
	}
	if err = p.ensureListed(ctx, session, row.JID, address); err != nil {
		return err
	}
	if err = session.SendSubscription(ctx, wire.Subscribe, row.JIDAsSent, p.ownName(ctx, session), ""); err != nil {
		return err
	}
	if err = session.Barrier(ctx); err != nil {
		return err
	}
	// The service's pushes came before its answer to the barrier, so what it made of the request is known.
	contact, _, err := p.cl.c.db.Contact.Get(ctx, row.LoginID, row.JID)
	if err != nil {
		return err
	}
	// What it said to the list is not looked at: it may have taken the one half and done nothing about the other.
	if contact.Ask == "" && !isContact(contact) {
		p.cl.log.Info().Msg("The service does not let a contact be added")
		return p.answered(ctx, row.JID, database.RequestDeclined, noticeAddRefused)
	}
	return p.cl.c.db.Request.MarkNotified(ctx, row.LoginID, row.JID, row.Direction)
}

// onState looks the table through when a session begins.
func (p *people) onState(ev xmppside.StateEvent) {
	if ev.State == xmppside.Online {
		p.kick()
	}
}
