package presence

import (
	"strings"

	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/nick"
	"matrix-messenger/xmppside/xmltext"
)

// MaxStatus is how many bytes of a personal message are kept, and sent.
const MaxStatus = 1024

// Type is the type attribute of a presence stanza.
type Type string

// The types of presence (RFC 6121 4.7.1).
const (
	Available    Type = "" // no attribute
	Unavailable  Type = "unavailable"
	Subscribe    Type = "subscribe"
	Subscribed   Type = "subscribed"
	Unsubscribe  Type = "unsubscribe"
	Unsubscribed Type = "unsubscribed"
	Error        Type = "error"
)

// IsState says that the stanza tells whether somebody is there.
func (t Type) IsState() bool { return t == Available || t == Unavailable }

// IsSubscription says that the stanza is about becoming contacts.
func (t Type) IsSubscription() bool {
	return t == Subscribe || t == Subscribed || t == Unsubscribe || t == Unsubscribed
}

// Stanza is a received <presence/>, to be read with encoding/xml. The addresses are text: one that is no JID is data,
// not a reason to stop reading.
type Stanza struct {
	From     string     `xml:"from,attr"`
	To       string     `xml:"to,attr"`
	ID       string     `xml:"id,attr"`
	Type     Type       `xml:"type,attr"`
	Show     string     `xml:"jabber:client show"`
	Statuses []text     `xml:"jabber:client status"`
	Nick     *nick.Nick `xml:"http://jabber.org/protocol/nick nick"`
	// Failure is the <error/> of a stanza of type Error.
	Failure *iq.ErrorPayload `xml:"jabber:client error"`
}

type text struct {
	Lang string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Text string `xml:",chardata"`
}

// State is what a stanza of type Available or Unavailable tells.
func (s Stanza) State() State {
	state := State{Available: s.Type == Available, Status: s.Status()}
	if state.Available {
		state.Show = ParseShow(s.Show)
	}
	return state
}

// Status is the text of <status/> on one line: of several the one without a language, else the first. With a
// subscription stanza it is what the person wrote along with it.
func (s Stanza) Status() string {
	status := ""
	for _, t := range s.Statuses {
		line := xmltext.Line(t.Text, MaxStatus)
		if line == "" {
			continue
		}
		if t.Lang == "" {
			return line
		}
		if status == "" {
			status = line
		}
	}
	return status
}

// Err is the error of a stanza of type Error, undefined-condition when it gives none.
func (s Stanza) Err() stanza.Error {
	if s.Failure == nil {
		return stanza.Error{Condition: stanza.UndefinedCondition}
	}
	return s.Failure.Err()
}

// Append appends the user's own presence. A state that is not available is written as "unavailable": the account stays
// signed in and the contacts see it offline, which is Messenger's "appear offline".
func Append(b []byte, s State) []byte {
	if !s.Available {
		b = append(b, `<presence type="unavailable"`...)
	} else {
		b = append(b, "<presence"...)
	}
	show := s.Available && s.Show != Online && ParseShow(string(s.Show)) == s.Show
	status := xmltext.Line(s.Status, MaxStatus)
	if !show && status == "" {
		return append(b, "/>"...)
	}
	b = append(b, '>')
	if show {
		b = xmltext.AppendElement(b, "show", string(s.Show))
	}
	if status != "" {
		b = xmltext.AppendElement(b, "status", status)
	}
	return append(b, "</presence>"...)
}

// AppendSubscription appends one of the four subscription stanzas to a bare JID; a resource is cut off. The nickname is
// written with Subscribe only, where it tells the other person who asks; status is a short text along with it. Other
// types append nothing.
func AppendSubscription(b []byte, typ Type, to, nickname, status string) []byte {
	if !typ.IsSubscription() {
		return b
	}
	bare, _, _ := strings.Cut(to, "/")
	b = append(b, "<presence"...)
	b = xmltext.AppendAttr(b, "type", string(typ))
	b = xmltext.AppendAttr(b, "to", bare)
	b = append(b, '>')
	if status = xmltext.Line(status, MaxStatus); status != "" {
		b = xmltext.AppendElement(b, "status", status)
	}
	if typ == Subscribe {
		b = nick.Append(b, nickname)
	}
	return append(b, "</presence>"...)
}
