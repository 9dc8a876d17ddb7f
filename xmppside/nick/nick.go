// Package nick is XEP-0172, the name that somebody gives to themselves: the only name known of a person who asks to
// become a contact (messenger-protocol.md 6.3, 13.5).
//
// Not here: publishing a nickname over PEP, which this service does not have.
package nick

import (
	"strings"

	"matrix-messenger/xmppside/xmltext"
)

const (
	// NS is the namespace of <nick/>.
	NS = "http://jabber.org/protocol/nick"
	// MaxName is how many bytes of a nickname are kept, and sent.
	MaxName = 256
)

// Nick is the element as a field of a stanza's struct:
//
//	Nick *nick.Nick `xml:"http://jabber.org/protocol/nick nick"`
type Nick struct {
	Text string `xml:",chardata"`
}

// Name is the nickname on one line, cut to MaxName, without what has no place in a name; empty when there is none. n
// may be nil.
func (n *Nick) Name() string {
	if n == nil {
		return ""
	}
	return xmltext.Line(n.Text, MaxName)
}

// Append appends <nick/> with the name, or nothing when no name is left of it.
func Append(b []byte, name string) []byte {
	name = strings.TrimSpace(xmltext.Clean(xmltext.Line(name, MaxName)))
	if name == "" {
		return b
	}
	b = append(b, `<nick xmlns="`+NS+`">`...)
	b = xmltext.AppendText(b, name)
	return append(b, "</nick>"...)
}
