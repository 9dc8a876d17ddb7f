package delay

import (
	"encoding/xml"
	"strings"
	"time"

	"matrix-messenger/xmppside/xmltext"
)

// MaxReason is how many bytes of the reason are kept.
const MaxReason = 256

// Delay is one delay stamp. It can be a field of a stanza's struct, under either name:
//
//	Delay  *delay.Delay `xml:"urn:xmpp:delay delay"`
//	Legacy *delay.Delay `xml:"jabber:x:delay x"`
type Delay struct {
	// Time is the stamp in UTC, zero when it was missing or could not be read.
	Time time.Time
	// From is who delayed the stanza, as written; often empty.
	From string
	// Reason is the text, such as "Offline Storage"; often empty.
	Reason string
}

// UnmarshalXML implements xml.Unmarshaler. A stamp that cannot be read is no error: it leaves Time zero, since the
// message matters more than its time.
func (d *Delay) UnmarshalXML(dec *xml.Decoder, start xml.StartElement) error {
	var raw struct {
		Stamp  string `xml:"stamp,attr"`
		From   string `xml:"from,attr"`
		Reason string `xml:",chardata"`
	}
	if err := dec.DecodeElement(&raw, &start); err != nil {
		return err
	}
	*d = Delay{From: raw.From, Reason: xmltext.Cut(strings.TrimSpace(raw.Reason), MaxReason)}
	if stamp, err := ParseTime(raw.Stamp); err == nil {
		d.Time = stamp
	}
	return nil
}

// Original picks the stamp that tells when a stanza was first sent: the earliest readable one, since each hop that
// holds a stanza back may add its own. It returns nil when there is none; nil arguments are skipped.
func Original(delays ...*Delay) *Delay {
	var first *Delay
	for _, d := range delays {
		if d == nil || d.Time.IsZero() {
			continue
		}
		if first == nil || d.Time.Before(first.Time) {
			first = d
		}
	}
	return first
}

// At is the time to show for a stanza that arrived at now: the stamp, or now when there is no stamp (d may be nil) or
// the stamp lies in the future.
func (d *Delay) At(now time.Time) time.Time {
	if d == nil || d.Time.IsZero() || d.Time.After(now) {
		return now
	}
	return d.Time
}
