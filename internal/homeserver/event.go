package homeserver

import (
	"encoding/json"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Event is one event of a room as the homeserver stores it. It is never changed after it was stored; a redaction puts a
// stripped copy in its place.
type Event struct {
	ID        id.EventID      `json:"event_id"`
	RoomID    id.RoomID       `json:"room_id"`
	Type      string          `json:"type"`
	Sender    id.UserID       `json:"sender"`
	StateKey  *string         `json:"state_key,omitempty"`
	Timestamp int64           `json:"origin_server_ts"` // milliseconds since 1970
	Content   json.RawMessage `json:"content"`
	Redacts   id.EventID      `json:"redacts,omitempty"`
	Unsigned  Unsigned        `json:"unsigned"`

	// Index is the event's place in its room's timeline, from 0.
	Index int `json:"-"`
	// TxnID is the transaction ID the sender used, empty for state and for people's own actions.
	TxnID string `json:"-"`

	membership event.Membership // of m.room.member, decoded once
}

// Unsigned is what the homeserver adds to an event.
type Unsigned struct {
	Age             int64           `json:"age"`
	PrevContent     json.RawMessage `json:"prev_content,omitempty"`
	ReplacesState   id.EventID      `json:"replaces_state,omitempty"`
	RedactedBecause *Event          `json:"redacted_because,omitempty"`
}

// Message decodes the content as a message. Content that does not decode gives an empty message.
func (e *Event) Message() *event.MessageEventContent {
	var content event.MessageEventContent
	if json.Unmarshal(e.Content, &content) != nil {
		return &event.MessageEventContent{}
	}
	return &content
}

// Body is the message's plain text, empty for anything without one.
func (e *Event) Body() string { return e.Message().Body }

// MsgType is the message's msgtype, such as m.text.
func (e *Event) MsgType() event.MessageType { return e.Message().MsgType }

// IsMessage tells whether the event is shown as a message (m.room.message, m.sticker, or an encrypted event).
func (e *Event) IsMessage() bool {
	return e.StateKey == nil && (e.Type == "m.room.message" || e.Type == "m.sticker" || e.Type == "m.room.encrypted")
}

// IsRedacted tells whether the event's content was removed.
func (e *Event) IsRedacted() bool { return e.Unsigned.RedactedBecause != nil }

// Time is the event's origin_server_ts.
func (e *Event) Time() time.Time { return time.UnixMilli(e.Timestamp) }

// Get returns a top-level string field of the content, empty when missing.
func (e *Event) Get(field string) string {
	var content map[string]any
	if json.Unmarshal(e.Content, &content) != nil {
		return ""
	}
	text, _ := content[field].(string)
	return text
}

// memberContent is the content of m.room.member as far as the homeserver reads it.
type memberContent struct {
	Membership  event.Membership `json:"membership"`
	DisplayName string           `json:"displayname,omitempty"`
	AvatarURL   string           `json:"avatar_url,omitempty"`
	IsDirect    bool             `json:"is_direct,omitempty"`
	Reason      string           `json:"reason,omitempty"`
}

func (e *Event) member() memberContent {
	var content memberContent
	_ = json.Unmarshal(e.Content, &content) // an undecodable member event is treated as no membership
	return content
}
