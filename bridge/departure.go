package bridge

import (
	"context"
	"sync"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

// departures are the rooms that are to be let go because of a change of their members, once the homeserver lets us. They are
// in the database too: what a bridge that ends leaves undone is done by the next one, and in any case before a message of the
// contact gets into such a room.
type departures struct {
	mu    sync.Mutex
	rooms map[id.RoomID]database.Departure
}

func (d *departures) note(departure database.Departure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rooms == nil {
		d.rooms = map[id.RoomID]database.Departure{}
	}
	d.rooms[id.RoomID(departure.RoomID)] = departure
}

func (d *departures) forget(room string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.rooms, id.RoomID(room))
}

// of is the departure of a chat, if there is one.
func (d *departures) of(login, chat string) (departure database.Departure, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, departure = range d.rooms { // few, if any
		if departure.LoginID == login && departure.ChatID == chat {
			return departure, true
		}
	}
	return database.Departure{}, false
}

func (d *departures) all() []database.Departure {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]database.Departure, 0, len(d.rooms))
	for _, departure := range d.rooms {
		list = append(list, departure)
	}
	return list
}

// letGoAtLast lets go of a room because of a change of its members, and tries again in the background while the homeserver is
// away, after a restart too. A change that was taken back meanwhile, and a chat that has another room by then, end that.
func (cl *Client) letGoAtLast(portal *bridgev2.Portal, evt *event.Event) error {
	err := cl.letGo(portal, evt.RoomID, true)
	if !staysInRoom(err) {
		return err
	}
	departure := database.Departure{LoginID: cl.id(), ChatID: string(portal.ID), RoomID: evt.RoomID.String(), Member: evt.GetStateKey()}
	cl.c.departures.note(departure)
	if noteErr := cl.c.db.Departure.Note(cl.c.ctx, departure); noteErr != nil {
		cl.log.Err(noteErr).Stringer("room_id", evt.RoomID).Msg("It cannot be stored that a room is to be let go")
	}
	cl.c.spawn(func(ctx context.Context) { cl.c.depart(ctx, departure) })
	return err
}

// departLeft goes on with what earlier runs left undone.
func (c *Connector) departLeft(context.Context) {
	for _, departure := range c.departures.all() {
		c.spawn(func(ctx context.Context) { c.depart(ctx, departure) })
	}
}

// depart tries until it is done or the bridge stops.
func (c *Connector) depart(ctx context.Context, d database.Departure) {
	for attempt := 1; sleep(ctx, backoff(attempt)); attempt++ {
		err := c.tryDeparture(ctx, d)
		if err == nil {
			return
		}
		c.log.Debug().Err(err).Int("attempt", attempt).Str("room_id", d.RoomID).Msg("A room could not be let go yet")
	}
}

// tryDeparture lets go of a room unless the change was taken back. An error means that it is to be tried again.
func (c *Connector) tryDeparture(ctx context.Context, d database.Departure) error {
	client := c.client(networkid.UserLoginID(d.LoginID))
	portal, err := c.br.GetExistingPortalByKey(ctx, portalKey(networkid.UserLoginID(d.LoginID), d.ChatID))
	if err != nil {
		return err
	}
	if client != nil && portal != nil && !c.isBack(ctx, id.RoomID(d.RoomID), id.UserID(d.Member)) {
		if err = client.letGo(portal, id.RoomID(d.RoomID), true); staysInRoom(err) {
			return err
		}
	}
	c.departures.forget(d.RoomID)
	return c.db.Departure.Forget(ctx, d.RoomID)
}

// departFirst lets go of a chat's room, if that is to be done, before something is shown in the chat.
func (cl *Client) departFirst(ctx context.Context, chat string) error {
	departure, found := cl.c.departures.of(cl.id(), chat)
	if !found {
		return nil
	}
	return cl.c.tryDeparture(ctx, departure)
}

// isBack asks the homeserver whether somebody who was gone from a room is in it or invited again. What is known here may be older than the change. Without an answer they are not.
func (c *Connector) isBack(ctx context.Context, room id.RoomID, user id.UserID) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	var member event.MemberEventContent
	err := c.matrix.AS.BotClient().StateEvent(ctx, room, event.StateMember, user.String(), &member)
	return err == nil && member.Membership.IsInviteOrJoin()
}
