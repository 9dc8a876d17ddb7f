package xmppside

import (
	"context"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/chatstate"
	"matrix-messenger/xmppside/delay"
	"matrix-messenger/xmppside/presence"
	"matrix-messenger/xmppside/roster"
)

// Handler takes the events of one account. Handle is called by one goroutine at a time, in the order of the stream, and
// must only commit or enqueue: while it runs nothing is read. An error ends the session as a transient failure, so that
// nothing counts as read that was not stored. When the account is stopped, the context goes on for the few seconds in
// which the stream is closed, since what arrives then is delivered as far as the service knows.
type Handler interface {
	Handle(ctx context.Context, ev Event) error
}

// Event is one of the types of this file.
type Event interface{ event() }

// State is where an account stands.
type State string

// The states of an account.
const (
	Connecting State = "connecting"
	Online     State = "online"
	Waiting    State = "waiting"    // for the next attempt, or for Reconnect when Next is zero
	SignedOut  State = "signed_out" // until Reconnect, after the user has signed in anew
	Stopped    State = "stopped"
)

// StateEvent tells that the account's state, or the reason for it, has changed.
type StateEvent struct {
	State State
	// Problem is why, nil when there is none.
	Problem *Problem
	// Since is when this state began.
	Since time.Time
	// Attempt counts the attempts since the account was last stable, from 1.
	Attempt int
	// Next is when the next attempt is due; zero when none is.
	Next time.Time
	// Session is the session that has just begun or ended, 0 for none.
	Session uint64
	// Suspect is the id of the last message written to a stream that the service ended as malformed: it must not be sent
	// again but reported as not delivered (messenger-protocol.md 12.3). Empty otherwise.
	Suspect string
}

// SignedIn tells who the service says the user is (messenger-protocol.md 5.1) and where it was reached.
type SignedIn struct {
	JID      jid.JID // full
	Host     string  // host:port, to be given back as AccountConfig.LastHost
	Resource string
	Session  uint64
}

// RosterLoaded is the whole contact list as fetched at sign-in.
type RosterLoaded struct {
	Items []roster.Item
}

// RosterPush is one change of the contact list, from a sender that may make one (messenger-protocol.md 5.2).
type RosterPush struct {
	Item roster.Item
}

// Message is a message with a body. Whether to believe From is up to the receiver: it is zero when the service sent a
// sender that is no JID, and FromRaw holds what it sent.
type Message struct {
	From    jid.JID
	FromRaw string
	ID      string // may be empty
	Type    string // "chat", "normal" and so on, as sent
	Body    string
	// Delay is when the message was sent, if it was stored on the way.
	Delay *delay.Delay
	// Nick is the sender's own name for itself (XEP-0172).
	Nick string
	// ChatState is the chat state that came along (XEP-0085), empty for none.
	ChatState chatstate.State
}

// MessageError tells that a message was not delivered.
type MessageError struct {
	ID      string
	From    jid.JID
	FromRaw string
	Err     stanza.Error
}

// ChatState is a chat state that came without a body.
type ChatState struct {
	From  jid.JID
	State chatstate.State
}

// PresenceUpdate is the presence of one of a contact's resources. The own presence is not reported.
type PresenceUpdate struct {
	From jid.JID // full, or bare if the service wrote it so
	presence.State
}

// PresenceError is the refusal of a presence or subscription stanza, or tells that a contact's presence is unknown.
type PresenceError struct {
	From    jid.JID
	FromRaw string
	Err     stanza.Error
}

// Subscription is a subscribe, subscribed, unsubscribe or unsubscribed from a contact (RFC 6121, 3).
type Subscription struct {
	Type presence.Type
	From jid.JID // bare
	// FromRaw is the bare JID as the service spelled it.
	FromRaw string
	Nick    string
	Text    string
}

func (StateEvent) event()     {}
func (SignedIn) event()       {}
func (RosterLoaded) event()   {}
func (RosterPush) event()     {}
func (Message) event()        {}
func (MessageError) event()   {}
func (ChatState) event()      {}
func (PresenceUpdate) event() {}
func (PresenceError) event()  {}
func (Subscription) event()   {}
