package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// An event that the bridge refuses never waits for the service, but that it was refused is promised to be told like the fate of those that do (design.md section 4.1). So it gets a
// row of the outbox that has failed from the start, and is told by whoever tells of the others.

// refused is how a refusal is told, as the framework would have told it.
type refused struct {
	Step          status.MessageCheckpointStep `json:"step,omitempty"`
	Status        event.MessageStatus          `json:"status"`
	Reason        event.MessageStatusReason    `json:"reason,omitempty"`
	Cause         string                       `json:"cause,omitempty"`
	Message       string                       `json:"message,omitempty"`
	CauseIsShown  bool                         `json:"cause_is_shown,omitempty"`
	Certain       bool                         `json:"certain,omitempty"`
	Notice        bool                         `json:"notice,omitempty"`
	Thread        id.EventID                   `json:"thread,omitempty"`
	TransactionID string                       `json:"transaction_id,omitempty"`
}

const (
	// storeRefusalTimeout bounds how long a database that cannot be written holds up the room of an event that is refused.
	storeRefusalTimeout = 10 * time.Second
	// longestCause bounds what is kept of an error that led to a refusal, in bytes.
	longestCause = 2000
)

// storeRefusal stores that an event is refused and has its sender told. It reports false when the framework is to tell it: of what is no refusal, of an event outside of the chats, and when the
// refusal cannot be stored.
func (c *Connector) storeRefusal(ctx context.Context, state *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) bool {
	if state.Status != event.MessageStatusFail && state.Status != event.MessageStatusRetriable ||
		info.SourceEventID == "" || info.EventType.IsEphemeral() || info.IsSourceEventDoublePuppeted || state.DisableMSS {
		return false
	}
	told := refused{
		Step: state.Step, Status: state.Status, Reason: state.ErrorReason, Message: state.Message, CauseIsShown: state.ErrorAsMessage, Certain: state.IsCertain,
		Notice: state.SendNotice && info.MessageType != event.MsgNotice, Thread: info.ThreadRoot, TransactionID: info.TransactionID,
	}
	portal := c.portalOf(ctx, info.RoomID)
	if portal == nil || portal.Receiver == "" {
		return false
	}
	settings := c.matrix.Config
	if !settings.Matrix.MessageStatusEvents && settings.Homeserver.MessageSendCheckpointEndpoint == "" && (!told.Notice || !settings.Matrix.MessageErrorNotices) {
		c.metrics.result(toMessenger, refusalResult(state))
		return false // nobody is told anything
	}
	if state.InternalError != nil {
		cause := state.InternalError.Error()
		told.Cause = strings.ToValidUTF8(cause[:min(len(cause), longestCause)], "")
	}
	sentence := told.Message
	if sentence == "" || told.CauseIsShown {
		sentence = told.Cause
	}
	inserted := true
	body, err := json.Marshal(told)
	if err == nil {
		within, cancel := context.WithTimeout(ctx, storeRefusalTimeout)
		defer cancel()
		inserted, err = c.db.Outbox.Refuse(within, database.OutboxMessage{
			LoginID: string(portal.Receiver), ChatID: string(portal.ID), EventID: string(info.SourceEventID), StanzaID: stanzaID(info.SourceEventID, 0),
			RoomID: string(info.RoomID), EventType: info.EventType.Type, SenderMXID: string(info.Sender), MsgType: string(info.MessageType),
			Body: body, Error: sentence,
		})
	}
	if inserted || err != nil { // what was refused before has been counted
		c.metrics.result(toMessenger, refusalResult(state))
	}
	if err != nil {
		c.log.Err(err).Stringer("event_id", info.SourceEventID).Msg("It cannot be stored that an event was refused, so its sender is told at once or not at all")
		return false
	}
	c.tellSoon()
	return true
}

// ownFault is the cause of a refusal that is no judgement of the event: the bridge could not do its work.
type ownFault struct{ error }

func (f ownFault) Unwrap() error { return f.error }

// refusalResult is what an event counts as that never got as far as the outbox: refused, or failed when it was the
// bridge that could not handle it.
func refusalResult(state *bridgev2.MessageStatus) string {
	var fault ownFault
	if state.Status == event.MessageStatusRetriable || errors.As(state.InternalError, &fault) {
		return resultFailed
	}
	return resultRefused
}

// tellRefusal tells the sender of an event, on the event, that it was refused. An error means that it is worth another try.
func (c *Connector) tellRefusal(ctx context.Context, row database.OutboxMessage) error {
	var told refused
	if err := json.Unmarshal(row.Body, &told); err != nil {
		// The sentence is all that can be told then.
		told = refused{Status: event.MessageStatusFail, Reason: event.MessageStatusGenericError, Message: row.Error, Cause: row.Error, Notice: true}
	}
	info := statusInfo(row)
	info.ThreadRoot, info.TransactionID = told.Thread, told.TransactionID
	state := bridgev2.MessageStatus{
		Step: told.Step, Status: told.Status, ErrorReason: told.Reason, Message: told.Message, ErrorAsMessage: told.CauseIsShown, IsCertain: told.Certain,
	}
	if told.Cause != "" || told.Message == "" {
		state.InternalError = errors.New(told.Cause)
	}
	return c.tellOnEvent(ctx, state, info, told.Notice)
}

// tellOnEvent tells that an event failed, on the event, and in a notice too if there is to be one. It may be called again. An
// error means that it is worth another try.
func (c *Connector) tellOnEvent(ctx context.Context, state bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo, notice bool) error {
	if err := c.report(ctx, state, info); err != nil || !notice || !c.matrix.Config.Matrix.MessageErrorNotices {
		return err
	}
	within, cancel := context.WithTimeout(stablesend.WithKey(ctx, "refused "+string(info.SourceEventID)), noticeTimeout)
	defer cancel()
	_, err := c.br.Bot.SendMessage(within, info.RoomID, event.EventMessage, &event.Content{Parsed: state.ToNoticeEvent(info)}, nil)
	if err != nil && !passing(err) {
		c.log.Warn().Err(err).Stringer("room_id", info.RoomID).Stringer("event_id", info.SourceEventID).Msg("A room cannot be told that an event was refused")
		return nil
	}
	return err
}
