package bridge

import (
	"context"
	"time"

	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

// Bringing ghosts up to date.
//
// The framework changes a ghost while it handles an event of one of the ghost's rooms, and has no lock that others could take. So what we change is done as an event of the
// contact's room, which the framework handles one after the other. Such an event would invite a user who has left the room, so it is only made when the user is there; without
// them the framework has no business with the ghost.

// ghostWait bounds how long a room is waited for that is perhaps being made.
const ghostWait = 5 * time.Second

// updateGhost runs a change of a contact's ghost, if there is one. A room that is perhaps being made is waited for until
// then.
func (p *people) updateGhost(ctx context.Context, who string, until time.Time, change func(context.Context, *bridgev2.Ghost)) error {
	ghost, err := p.cl.c.br.GetExistingGhostByID(ctx, networkid.UserID(who))
	if err != nil || ghost == nil {
		return err
	}
	if err = p.awaitGhostRoom(ctx, who, until); err != nil {
		return err
	}
	p.refresh.Lock() // not before: others do not wait for rooms that may never be made
	defer p.refresh.Unlock()
	inRoom, err := p.userIsThere(ctx, who)
	if err != nil {
		return err
	}
	if !inRoom {
		change(ctx, ghost)
		return nil
	}
	done := false
	res := p.cl.login.QueueRemoteEvent(&simplevent.EventMeta{
		Type:      bridgev2.RemoteEventUnknown,
		PortalKey: portalKey(p.cl.login.ID, who),
		Sender:    bridgev2.EventSender{Sender: userID(who)},
		PreHandleFunc: func(ctx context.Context, _ *bridgev2.Portal) {
			change(ctx, ghost)
			done = true
		},
	})
	if err = outcome(res); err == nil && !done {
		change(ctx, ghost) // the room has gone meanwhile
	}
	return err
}

// awaitGhostRoom waits while a contact's room is perhaps being made: the chat is known and has no room.
func (p *people) awaitGhostRoom(ctx context.Context, who string, until time.Time) error {
	if p.isUndecided(ctx, who) {
		return nil
	}
	room, err := p.roomOf(ctx, who)
	if err != nil || room != "" {
		return err
	}
	portal, err := p.cl.c.br.GetExistingPortalByKey(ctx, portalKey(p.cl.login.ID, who))
	if err == nil && portal != nil {
		_ = p.cl.c.roomMade(ctx, portal, time.Until(until)) // without a room all the same there is nothing to wait for
	}
	return err
}

// userIsThere tells whether the user is in the contact's room, or invited to it otherwise than by an undecided request.
func (p *people) userIsThere(ctx context.Context, who string) (bool, error) {
	if p.isUndecided(ctx, who) {
		return false, nil
	}
	room, err := p.roomOf(ctx, who)
	return err == nil && room != "" && p.cl.c.matrix.AS.StateStore.IsInvited(ctx, room, p.cl.login.UserMXID), err
}

// changed brings the ghosts of contacts up to date in the background. Ghosts of people who were never seen in Matrix are not made for it.
func (p *people) changed(contacts []database.Contact) {
	if len(contacts) == 0 {
		return
	}
	p.cl.c.spawn(func(ctx context.Context) {
		until := time.Now().Add(ghostWait) // for all of them together
		for _, contact := range contacts {
			if ctx.Err() != nil {
				return
			}
			err := p.updateGhost(ctx, contact.JID, until, func(ctx context.Context, ghost *bridgev2.Ghost) {
				p.showContact(ctx, ghost, nil)
			})
			if err != nil {
				p.cl.log.Err(err).Msg("A contact's ghost could not be brought up to date")
			}
		}
	})
}

// showContact gives a ghost what is stored of the contact, and a picture unless that is nil. It is read now: changes are carried
// out in no certain order, and whichever is the last must not bring back what was there before the others.
func (p *people) showContact(ctx context.Context, ghost *bridgev2.Ghost, picture func(database.Contact) *bridgev2.Avatar) {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), string(ghost.ID))
	if err != nil {
		p.cl.log.Err(err).Msg("A contact could not be read to be shown")
		return
	}
	contact.JID = string(ghost.ID)
	info := p.userInfo(contact)
	if picture != nil {
		info.Avatar = picture(contact)
	}
	ghost.UpdateInfo(ctx, info)
}

// asGhost acts as a ghost, with an intent of its own: the framework's notes without a lock that its ghost is registered, and it
// may be at work for the ghost at the same time.
func (c *Connector) asGhost(ghost id.UserID) *appservice.IntentAPI {
	return c.matrix.AS.NewIntentAPI(ghost.Localpart())
}
