package bridge

import (
	"context"

	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// What people do with rooms that a chat of two persons has no place for. The framework passes most of it over in silence; here each has its outcome:
//
//   - the user leaves a chat's room, or removes the bot from it: the room is let go, and the contact's next message makes a new one
//   - somebody removes the contact: the room says what that means
//   - another contact is invited into a chat, or one into a group: the invitation is declined, with the reason
//   - a room is upgraded, and the bot cannot follow: the room says what to do
//   - calls, live locations: refused on the event itself; polls of the newer form are taken like the others
//
// The handlers run after the framework's own, in the room's order, and not under the room's lock.
func (c *Connector) handleMisuse() {
	on := func(types []event.Type, handle func(context.Context, *event.Event, *bridgev2.Portal)) {
		for _, eventType := range types {
			c.matrix.EventProcessor.On(eventType, func(ctx context.Context, evt *event.Event) {
				if !c.isOurDoing(evt) {
					handle(ctx, evt, c.portalOf(ctx, evt.RoomID))
				}
			})
		}
	}
	c.matrix.EventProcessor.PrependHandler(event.EventMessage, c.notManagement)
	on([]event.Type{event.StateMember}, c.memberMisuse)
	on([]event.Type{event.StateTombstone}, c.tombstoneMisuse)
	on([]event.Type{event.StatePowerLevels}, c.permissionsChanged)
	on(callTypes, c.refuseCall)
	on([]event.Type{liveLocation}, c.refuseLiveLocation)
	on([]event.Type{pollStart}, c.takePoll)
}

// isOurDoing tells events of the bridge itself, double puppets included.
func (c *Connector) isOurDoing(evt *event.Event) bool {
	if evt.Sender == c.br.Bot.GetMXID() || c.br.IsGhostMXID(evt.Sender) {
		return true
	}
	mark, marked := evt.Content.Raw[appservice.DoublePuppetKey]
	return marked && mark == c.matrix.AS.DoublePuppetValue
}

// portalOf is the chat of a room, nil when it is none.
func (c *Connector) portalOf(ctx context.Context, room id.RoomID) *bridgev2.Portal {
	portal, err := c.br.GetPortalByMXID(ctx, room)
	if err != nil {
		c.log.Err(err).Stringer("room_id", room).Msg("The chat of a room cannot be read")
		return nil
	}
	return portal
}

// owner is the account that a chat belongs to, nil when it is gone.
func (c *Connector) owner(portal *bridgev2.Portal) *Client {
	if portal == nil {
		return nil
	}
	return c.client(portal.Receiver)
}

// refuse tells the sender of an event, on the event, why nothing comes of it.
func (c *Connector) refuse(ctx context.Context, evt *event.Event, sentence string) {
	state := bridgev2.WrapErrorInStatus(refusal(event.MessageStatusUnsupported, sentence, nil))
	c.sendStatus(ctx, &state, bridgev2.StatusEventInfoFromEvent(evt))
}
