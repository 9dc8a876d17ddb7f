// Package chatstate is XEP-0085, "is typing": its five states, reading them from a message and writing a message that
// carries nothing else (messenger-protocol.md 11, 13.6).
//
// Not here: when to send them. The service dropped them from its list in April 2012, so they are sent only to contacts
// whose own client sends them; the bridge keeps track of that.
package chatstate

import "matrix-messenger/xmppside/xmltext"

// NS is the namespace of the state elements.
const NS = "http://jabber.org/protocol/chatstates"

// State is a chat state; the zero value means none.
type State string

// The states of XEP-0085.
const (
	None      State = ""
	Active    State = "active"
	Composing State = "composing"
	Paused    State = "paused"
	Inactive  State = "inactive"
	Gone      State = "gone"
)

// Typing says whether the person is writing right now.
func (s State) Typing() bool { return s == Composing }

// Valid says whether s is one of the five states.
func (s State) Valid() bool {
	switch s {
	case Active, Composing, Paused, Inactive, Gone:
		return true
	default:
		return false
	}
}

// Elements are the state elements of a message, to be embedded in the message's struct.
type Elements struct {
	Active    *struct{} `xml:"http://jabber.org/protocol/chatstates active"`
	Composing *struct{} `xml:"http://jabber.org/protocol/chatstates composing"`
	Paused    *struct{} `xml:"http://jabber.org/protocol/chatstates paused"`
	Inactive  *struct{} `xml:"http://jabber.org/protocol/chatstates inactive"`
	Gone      *struct{} `xml:"http://jabber.org/protocol/chatstates gone"`
}

// State is the state that the message carries. By the book there is at most one; of several the one that says most
// about typing is taken.
func (e Elements) State() State {
	switch {
	case e.Composing != nil:
		return Composing
	case e.Paused != nil:
		return Paused
	case e.Gone != nil:
		return Gone
	case e.Inactive != nil:
		return Inactive
	case e.Active != nil:
		return Active
	default:
		return None
	}
}

// Append appends the element of a valid state, nothing for any other.
func Append(b []byte, s State) []byte {
	if !s.Valid() {
		return b
	}
	b = append(b, '<')
	b = append(b, s...)
	return append(b, ` xmlns="`+NS+`"/>`...)
}

// AppendMessage appends a whole chat message to a JID that carries a valid state and nothing else. Without an id: nobody
// waits for an answer to it.
func AppendMessage(b []byte, to string, s State) []byte {
	if !s.Valid() {
		return b
	}
	b = append(b, `<message type="chat"`...)
	b = xmltext.AppendAttr(b, "to", to)
	b = append(b, '>')
	b = Append(b, s)
	return append(b, "</message>"...)
}
