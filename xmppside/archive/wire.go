package archive

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"matrix-messenger/xmppside/delay"
	"matrix-messenger/xmppside/xmltext"
)

const (
	// NS is the namespace of XEP-0136.
	NS = "urn:xmpp:archive"
	// NSPaging is the namespace of XEP-0059's <set/>.
	NSPaging = "http://jabber.org/protocol/rsm"
)

// Entry is one archived message.
type Entry struct {
	// Mine is true for what the user wrote (<to/>), false for what the other party wrote (<from/>).
	Mine bool
	// Body is the text as archived, never empty.
	Body string
	// Time is when the service says it was sent, mostly in whole seconds by the service's clock; zero when it does not
	// say.
	Time time.Time
}

// answer is whatever element a result brings: a <chat/> or a <list/>, or none at all.
type answer struct {
	XMLName  xml.Name
	With     string    `xml:"with,attr"`
	Start    string    `xml:"start,attr"`
	Next     *link     `xml:"urn:xmpp:archive next"`
	Previous *link     `xml:"urn:xmpp:archive previous"`
	Paging   *paging   `xml:"http://jabber.org/protocol/rsm set"`
	Chats    []link    `xml:"urn:xmpp:archive chat"`
	Children []message `xml:",any"`
}

func (a answer) is(name string) bool {
	return a.XMLName.Space == NS && a.XMLName.Local == name
}

// link names a collection.
type link struct {
	With  string `xml:"with,attr"`
	Start string `xml:"start,attr"`
}

// at is the start as a time, zero when it cannot be read.
func (l link) at() time.Time {
	at, err := delay.ParseTime(l.Start)
	if err != nil {
		return time.Time{}
	}
	return at
}

type paging struct {
	First struct {
		Index string `xml:"index,attr"`
		ID    string `xml:",chardata"`
	} `xml:"http://jabber.org/protocol/rsm first"`
	Last  string `xml:"http://jabber.org/protocol/rsm last"`
	Count string `xml:"http://jabber.org/protocol/rsm count"`
}

// missing says whether n entries of a page leave out earlier or later ones. What is not said counts as not missing.
func (p *paging) missing(n int) (before, after bool) {
	if p == nil {
		return false, false
	}
	count, err := strconv.Atoi(strings.TrimSpace(p.Count))
	if err != nil || count <= n {
		return false, false
	}
	index, err := strconv.Atoi(strings.TrimSpace(p.First.Index))
	if err != nil || index < 0 || index > count-n {
		return true, true
	}
	return index > 0, index+n < count
}

// message is a child of <chat/>: <from/>, <to/>, <note/> or something unknown.
type message struct {
	XMLName xml.Name
	Secs    string `xml:"secs,attr"`
	UTC     string `xml:"utc,attr"`
	Bodies  []body `xml:"body"`
}

type body struct {
	Lang string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Text string `xml:",chardata"`
}

// entries reads the messages of a collection in the order they stand in, the oldest first by the book.
//
// The time of a message is its utc, or else that of the message before plus secs, beginning with the collection's start
// (XEP-0136 5.1). A message without a body moves the time on too, but is none for a reader.
func (a answer) entries() []Entry {
	if !a.is("chat") {
		return nil
	}
	var entries []Entry
	at := link{Start: a.Start}.at()
	for _, m := range a.Children {
		if m.XMLName.Space != NS || m.XMLName.Local != "from" && m.XMLName.Local != "to" {
			continue
		}
		if utc, err := delay.ParseTime(m.UTC); err == nil {
			at = utc
		} else if secs, ok := parseSecs(m.Secs); ok && !at.IsZero() {
			at = at.Add(secs)
		}
		if text := m.text(); text != "" {
			entries = append(entries, Entry{Mine: m.XMLName.Local == "to", Body: text, Time: at})
		}
	}
	return entries
}

// text is the body without a language, else the first; cleaned so that it can be compared with what was sent.
func (m message) text() string {
	text := ""
	for _, b := range m.Bodies {
		if b.Text == "" {
			continue
		}
		if b.Lang == "" {
			return xmltext.Clean(b.Text)
		}
		if text == "" {
			text = b.Text
		}
	}
	return xmltext.Clean(text)
}

// maxSecs keeps a running sum from overflowing: no two messages of one conversation are a hundred years apart.
const maxSecs = 100 * 365 * 24 * 3600

// parseSecs reads whole seconds; decimals, which some programs write, are kept to the millisecond.
func parseSecs(s string) (time.Duration, bool) {
	secs, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(secs >= 0 && secs <= maxSecs) {
		return 0, false
	}
	return time.Duration(secs*1000) * time.Millisecond, true
}
