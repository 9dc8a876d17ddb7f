package delay

import (
	"encoding/xml"
	"testing"
	"time"
)

func TestTimesAreReadLeniently(t *testing.T) {
	want := time.Date(2012, 9, 10, 23, 8, 25, 0, time.UTC)
	for _, c := range []struct {
		in   string
		want time.Time
	}{
		{"2012-09-10T23:08:25Z", want},
		{" 2012-09-10T23:08:25Z\n", want},
		{"2012-09-10T23:08:25.1234567891Z", want.Add(123456789)},
		{"2012-09-10T23:08:25,5Z", want.Add(500 * time.Millisecond)},
		{"2012-09-10T23:08:25.Z", want},
		{"2012-09-10T23:08:25", want},
		{"2012-09-10 23:08:25z", want},
		{"2012-09-10t23:08:25+00:00", want},
		{"2012-09-11T01:08:25+02:00", want},
		{"2012-09-11T01:08:25+0200", want},
		{"2012-09-10T18:38:25-04:30", want},
		{"2012-09-10T22:08:25-01", want},
		{"20120910T23:08:25", want},
		{"20120910T23:08:25Z", want},
		{"2012-06-30T23:59:60Z", time.Date(2012, 7, 1, 0, 0, 0, 0, time.UTC)},
		{"1970-01-01T00:00:00Z", time.Unix(0, 0).UTC()},
	} {
		got, err := ParseTime(c.in)
		if err != nil || !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%q: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "now", "2012-09-10", "23:08:25Z", "2012-13-10T23:08:25Z", "2012-09-10T24:08:25Z", "2012-09-10T23:08:25Q",
		"2012-09-10T23:08:25+99:99:99", "0000-01-01T00:00:00Z", "2012-09-1", "1347318505", "9999-12-31T23:59:59-01:00",
	} {
		if got, err := ParseTime(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

type message struct {
	XMLName xml.Name `xml:"jabber:client message"`
	Delay   *Delay   `xml:"urn:xmpp:delay delay"`
	Legacy  *Delay   `xml:"jabber:x:delay x"`
	Body    string   `xml:"jabber:client body"`
}

func TestTheStampOfAStoredMessage(t *testing.T) {
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	sent := time.Date(2012, 9, 10, 23, 8, 25, 0, time.UTC)
	for _, c := range []struct {
		name, children string
		want           Delay
		at             time.Time
	}{
		{
			"as the service writes it", `<delay xmlns="urn:xmpp:delay" from="messenger.live.com" stamp="2012-09-10T23:08:25Z">Offline Storage</delay>`,
			Delay{Time: sent, From: "messenger.live.com", Reason: "Offline Storage"},
			sent,
		},
		{"the older form", `<x xmlns="jabber:x:delay" stamp="20120910T23:08:25"/>`, Delay{Time: sent}, sent},
		{
			"the earlier of two counts", `<x xmlns="jabber:x:delay" stamp="20120910T23:08:25"/><delay xmlns="urn:xmpp:delay" stamp="2013-01-01T00:00:00Z"/>`,
			Delay{Time: sent},
			sent,
		},
		{
			"with a prefix", `<d:delay xmlns:d="urn:xmpp:delay" stamp="2012-09-10T23:08:25Z"/>`, Delay{Time: sent}, sent,
		},
		{"no stamp", `<delay xmlns="urn:xmpp:delay"/>`, Delay{}, now},
		{"a stamp that is none", `<delay xmlns="urn:xmpp:delay" stamp="yesterday"/>`, Delay{}, now},
		{"another namespace", `<delay xmlns="urn:example" stamp="2012-09-10T23:08:25Z"/>`, Delay{}, now},
		{
			"nothing comes from the future", `<delay xmlns="urn:xmpp:delay" stamp="2042-09-10T23:08:25Z"/>`,
			Delay{Time: time.Date(2042, 9, 10, 23, 8, 25, 0, time.UTC)},
			now,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m message
			stanza := `<message xmlns="jabber:client">` + c.children + `<body>hello</body></message>`
			if err := xml.Unmarshal([]byte(stanza), &m); err != nil {
				t.Fatal(err)
			}
			if m.Body != "hello" {
				t.Error("the body is lost")
			}
			got := Original(m.Delay, m.Legacy)
			if (got == nil) != c.want.Time.IsZero() || got != nil && *got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if at := got.At(now); !at.Equal(c.at) {
				t.Errorf("shown at %v, want %v", at, c.at)
			}
		})
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2012-09-10T23:08:25.5Z", "20120910T23:08:25", "2012-09-10 23:08:60+0200"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseTime(s)
		if err != nil {
			return
		}
		if again, err := ParseTime(at.Format(time.RFC3339Nano)); err != nil || !again.Equal(at) {
			t.Errorf("%q: %v does not survive writing: %v, %v", s, at, again, err)
		}
	})
}
