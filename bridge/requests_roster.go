package bridge

import (
	"context"
	"time"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// What a change of the roster means for requests and rooms.

// rosterSettled is told what a newly fetched roster changed.
func (p *people) rosterSettled(ctx context.Context, diff database.RosterDiff) error {
	for _, contact := range append(diff.Added, diff.Changed...) {
		if err := p.settleByRoster(ctx, contact); err != nil {
			return err
		}
	}
	for _, contact := range diff.Removed {
		if isContact(contact) {
			if err := p.note(ctx, contact.JID, named(noticeGone, plainName(contact))); err != nil {
				return err
			}
		}
	}
	p.rosterRound()
	return nil
}

// rosterRound does in the background what is due once the roster is known. Ten thousand accounts may have theirs read at the same time, so nothing is asked for each contact.
func (p *people) rosterRound() {
	p.cl.c.spawn(func(ctx context.Context) {
		due, err := p.cl.c.db.Contact.CardsDue(ctx, string(p.cl.c.br.ID), p.cl.id(), time.Now().Add(-cardAge))
		if err != nil {
			p.cl.log.Err(err).Msg("It cannot be read which contacts may have a new picture")
		}
		p.pictures.want(due...)
		if p.cl.c.Config.Rooms.AtLogin == config.RoomsAll {
			p.makeAllRooms(ctx)
		}
	})
}

// makeAllRooms gives every contact a room.
func (p *people) makeAllRooms(ctx context.Context) {
	contacts, err := p.cl.c.db.Contact.List(ctx, p.cl.id())
	if err != nil {
		p.cl.log.Err(err).Msg("The contacts cannot be read")
		return
	}
	var chats []string
	for _, contact := range contacts {
		if isContact(contact) {
			chats = append(chats, contact.JID)
		}
	}
	p.makeRooms(chats)
}

// contactChanged is told what a push changed.
func (p *people) contactChanged(ctx context.Context, before, after database.Contact) error {
	if err := p.settleByRoster(ctx, after); err != nil {
		return err
	}
	if relation(after).Approves() && !relation(before).Approves() {
		p.kick() // perhaps a request that was accepted and did not seem to be taken
	}
	switch was, is := isContact(before), isContact(after); {
	case is && !was:
		p.pictures.want(after.JID)
		if p.cl.c.Config.Rooms.AtLogin == config.RoomsAll {
			p.makeRooms([]string{after.JID})
		}
	case was && !is:
		p.cl.presence.forget(after.JID)
		return p.note(ctx, after.JID, named(noticeGone, plainName(after)))
	}
	return nil
}

// settleByRoster closes requests that the roster shows to be answered, such as in another Messenger program.
func (p *people) settleByRoster(ctx context.Context, contact database.Contact) error {
	if isContact(contact) {
		if err := p.answered(ctx, contact.JID, database.RequestAccepted, noticeTheyAccepted); err != nil {
			return err
		}
	}
	if !relation(contact).Approves() || contact.Ask != "" && !isContact(contact) {
		return nil
	}
	moved, err := p.settle(ctx, contact.JID, database.RequestAccepted)
	if moved {
		p.cl.inbound.kick(contact.JID)
		p.kick()
	}
	return err
}

// presenceError is told that the service refused a presence or subscription stanza.
func (p *people) presenceError(ctx context.Context, ev xmppside.PresenceError) error {
	who := bareID(ev.From)
	if ev.From.Localpart() == "" || who == p.cl.id() {
		return nil
	}
	p.cl.log.Info().Str("condition", string(ev.Err.Condition)).Msg("The service refused a presence or a request")
	in, found, err := p.cl.c.db.Request.Get(ctx, p.cl.id(), who, database.RequestIn)
	if err != nil {
		return err
	}
	if found && in.State == database.RequestAccepting {
		return nil // what the roster says then is what counts, see tellAccepted
	}
	return p.answered(ctx, who, database.RequestDeclined, noticeAddRefused)
}
