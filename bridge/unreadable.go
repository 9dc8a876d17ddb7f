package bridge

import (
	"context"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/matrixside/inbox"
)

// What the sender of an event reads that could not be read. The framework puts "Your message was not bridged: "
// before it.
const (
	unreadableNewKeys = " If that fails too, your Matrix app has to make new keys for this room: in Element, send /discardsession here first; " +
		"in another app, sign out and in again."
	unreadableMissing   = "the bridge cannot read it, because its keys have not arrived. Please send it again." + unreadableNewKeys
	unreadableWithheld  = "your Matrix app does not give the bridge the keys to read it. If it is set to write to verified devices only, switch that off for this room, and send it again."
	unreadableTooLate   = "the bridge only has the keys for what you wrote after it. Please send it again."
	unreadableUsedTwice = "your Matrix app encrypted it with a key that it had used before. Please send it again." + unreadableNewKeys
	unreadableBadly     = "it cannot be decrypted. Please send it again." + unreadableNewKeys
	unreadableUntrusted = "this bridge only takes messages from verified devices. Verify the device that you wrote it on, and send it again."
	unreadableSealed    = "it is encrypted, and this bridge does not read encrypted messages. Your administrator can switch that on (`encryption` in the configuration)."
	unreadableNotSealed = "this bridge only takes encrypted messages. Switch on encryption in this room, and send it again."
	unreadableOwnFault  = "the bridge failed while decrypting it. Please send it again later, and tell your administrator if that fails too."
)

// unreadableSentence says why, and whether sending the same again may help.
func unreadableSentence(why inbox.Unreadable) (sentence string, again event.MessageStatus) {
	switch why {
	case inbox.KeysMissing:
		return unreadableMissing, event.MessageStatusRetriable
	case inbox.KeysTooLate:
		return unreadableTooLate, event.MessageStatusRetriable
	case inbox.KeyUsedTwice:
		return unreadableUsedTwice, event.MessageStatusRetriable
	case inbox.BadlySealed:
		return unreadableBadly, event.MessageStatusRetriable
	case inbox.KeysWithheld:
		return unreadableWithheld, event.MessageStatusFail
	case inbox.Untrusted:
		return unreadableUntrusted, event.MessageStatusFail
	case inbox.NoEncryption:
		return unreadableSealed, event.MessageStatusFail
	case inbox.NotSealed:
		return unreadableNotSealed, event.MessageStatusFail
	default:
		return unreadableOwnFault, event.MessageStatusRetriable
	}
}

// tellUnreadable tells the sender of an event that it could not be read: of one in a chat as of anything that is
// refused, so that it is told whatever happens, and never delivered although its keys come later.
func (c *Connector) tellUnreadable(ctx context.Context, evt *event.Event, why inbox.Unreadable, cause error) {
	sentence, again := unreadableSentence(why)
	if why == inbox.OwnFault {
		cause = ownFault{cause}
	}
	state := bridgev2.MessageStatus{
		Step: status.MsgStepDecrypted, Status: again, ErrorReason: event.MessageStatusUndecryptable,
		InternalError: cause, Message: sentence, IsCertain: true, SendNotice: !isAside(evt),
	}
	info := bridgev2.StatusEventInfoFromEvent(evt)
	if c.portalOf(ctx, evt.RoomID) != nil {
		c.sendStatus(ctx, &state, info)
		return
	}
	// A command has no row that could wait: it is told before it counts as handled, and in other rooms the bot keeps
	// still.
	err := c.tellOnEvent(withKey(ctx, "unreadable "+string(evt.ID)), state, info, state.SendNotice && c.isBotRoom(ctx, evt))
	if err != nil {
		c.log.Warn().Err(err).Stringer("room_id", evt.RoomID).Stringer("event_id", evt.ID).Msg("Nobody could be told that an event could not be read")
	}
}

// isAside tells of an encrypted event what its sender's client leaves readable: that it is a reaction, or refers to
// something that it is nothing without. Its status is enough; nobody wants a notice for each.
func isAside(evt *event.Event) bool {
	relates := evt.Content.AsEncrypted().RelatesTo
	return evt.Type == event.EventEncrypted && relates != nil && (relates.Type == event.RelAnnotation || relates.Type == event.RelReference)
}

// isBotRoom tells whether somebody has written in their room with the bot.
func (c *Connector) isBotRoom(ctx context.Context, evt *event.Event) bool {
	user, err := c.br.GetExistingUserByMXID(ctx, evt.Sender)
	return err == nil && user != nil && user.ManagementRoom == evt.RoomID
}
