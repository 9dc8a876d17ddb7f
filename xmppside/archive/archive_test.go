package archive

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/iq/iqtest"
)

var ann = jid.MustParse("ann@messenger.live.com")

// chat is a collection that began at 10:00 on that day of June 2012.
func chat(day int, inner string) string {
	return iqtest.Result(fmt.Sprintf(`<chat xmlns="urn:xmpp:archive" with="Ann@messenger.live.com" start="2012-06-%02dT10:00:00Z" version="0">%s</chat>`, day, inner))
}

func set(index, count int) string {
	return fmt.Sprintf(`<set xmlns="http://jabber.org/protocol/rsm"><first index="%d">a</first><last>b</last><count>%d</count></set>`, index, count)
}

// show writes entries the way a test reads them: < or > for the direction, the text, the time of June 2012.
func show(entries []Entry) string {
	var lines []string
	for _, e := range entries {
		direction, at := "<", "?"
		if e.Mine {
			direction = ">"
		}
		if !e.Time.IsZero() {
			at = e.Time.Format("2T15:04:05")
		}
		lines = append(lines, direction+e.Body+" "+at)
	}
	return strings.Join(lines, "|")
}

func TestTheMessagesOfACollection(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"as documented", `<from secs="0"><body>hello</body></from><to secs="11"><body>hi</body></to>` + set(0, 2), "<hello 1T10:00:00|>hi 1T10:00:11"},
		{"seconds add up", `<from secs="1"><body>a</body></from><from secs="2"><body>b</body></from><to secs="3"><body>c</body></to>`, "<a 1T10:00:01|<b 1T10:00:03|>c 1T10:00:06"},
		{"utc comes first, and seconds count from it", `<from utc="2012-06-02T00:00:00Z" secs="5"><body>a</body></from><to secs="2"><body>b</body></to>`, "<a 2T00:00:00|>b 2T00:00:02"},
		{"no time is the time before", `<from secs="4"><body>a</body></from><to><body>b</body></to><to secs="x"><body>c</body></to><to secs="-9"><body>d</body></to>`, "<a 1T10:00:04|>b 1T10:00:04|>c 1T10:00:04|>d 1T10:00:04"},
		{"decimals", `<from secs="1.5"><body>a</body></from><to secs="1.5"><body>b</body></to>`, "<a 1T10:00:01|>b 1T10:00:03"},
		{"endless seconds are none", `<from secs="1e300"><body>a</body></from><to secs="NaN"><body>b</body></to>`, "<a 1T10:00:00|>b 1T10:00:00"},
		{"a message without a body only takes time", `<from secs="3"/><from secs="3"><body></body></from><to secs="1"><body>b</body></to>`, ">b 1T10:00:07"},
		{"notes and strangers are no messages", `<note utc="2012-06-01T00:00:00Z">n</note><x xmlns="urn:x"><body>n</body></x><from xmlns="urn:x" secs="9"><body>n</body></from><to secs="1"><body>b</body></to>`, ">b 1T10:00:01"},
		{"odd content", "<from jid='x' name='y'><body>a &lt;b&gt; &amp;\n<![CDATA[<c>]]> </body><x xmlns='jabber:x:oob'/></from>", "<a <b> &\n<c>  1T10:00:00"},
		{"several languages", `<to><body xml:lang="de">ja</body><body>yes</body></to><to><body xml:lang="de">nein</body><body xml:lang="en">no</body></to>`, ">yes 1T10:00:00|>nein 1T10:00:00"},
		{"a body that names another namespace", `<to><body xmlns="jabber:client">b</body></to>`, ">b 1T10:00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := iqtest.Replies(chat(1, c.in))
			tail, err := Retrieve(context.Background(), r, ann, 10)
			if got := show(tail); err != nil || got != c.want {
				t.Errorf("%s (%v)\nwant %s", got, err, c.want)
			}
			want := `<retrieve xmlns="urn:xmpp:archive" with="ann@messenger.live.com" start="1970-01-01T00:00:00Z"><set xmlns="http://jabber.org/protocol/rsm"><max>10</max></set></retrieve>`
			if sent := r.Sent(); len(sent) != 1 || sent[0].Type != iq.Get || sent[0].To != "" || string(sent[0].Payload) != want {
				t.Errorf("asked %s", sent)
			}
		})
	}
}

func TestAStartThatIsNoTimeLeavesTimesOpen(t *testing.T) {
	r := iqtest.Replies(iqtest.Result(`<chat xmlns="urn:xmpp:archive" start="then"><from secs="3"><body>a</body></from><to utc="2012-06-02T00:00:00Z"><body>b</body></to><to secs="1"><body>c</body></to></chat>`))
	tail, err := Retrieve(context.Background(), r, ann, 10)
	if got, want := show(tail), "<a ?|>b 2T00:00:00|>c 2T00:00:01"; err != nil || got != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
}

func TestNoHistory(t *testing.T) {
	notFound := iqtest.Error("cancel", "item-not-found")
	for name, r := range map[string]*iqtest.Requester{
		"an empty chat":          iqtest.Replies(iqtest.Result(`<chat xmlns="urn:xmpp:archive" with="ann@messenger.live.com" start="1970-01-01T00:00:00Z" />`)),
		"an empty iq":            iqtest.Replies(iqtest.Result("")),
		"an empty list":          iqtest.Replies(iqtest.Result(`<list xmlns="urn:xmpp:archive" />`)),
		"item-not-found":         iqtest.Replies(notFound),
		"not found, empty list":  iqtest.Replies(notFound, iqtest.Result(`<list xmlns="urn:xmpp:archive" />`)),
		"not found, no lists":    iqtest.Replies(notFound, iqtest.Error("cancel", "feature-not-implemented")),
		"only others are listed": iqtest.Replies(iqtest.Result(`<list xmlns="urn:xmpp:archive"><chat with="bob@messenger.live.com" start="2012-06-01T10:00:00Z"/></list>`)),
	} {
		if tail, err := Retrieve(context.Background(), r, ann, 0); err != nil || len(tail) != 0 {
			t.Errorf("%s: %+v, %v", name, tail, err)
		}
	}
}

func TestAnArchiveThatIsNotKnown(t *testing.T) {
	for name, r := range map[string]*iqtest.Requester{
		"refused":                   iqtest.Replies(iqtest.Error("cancel", "service-unavailable")),
		"neither command":           iqtest.Replies(iqtest.Error("cancel", "feature-not-implemented")),
		"silence":                   iqtest.Fails(context.DeadlineExceeded),
		"the end of the session":    iqtest.Fails(io.EOF),
		"not found, then silence":   thenSilence(iqtest.Error("cancel", "item-not-found")),
		"something else":            iqtest.Replies(iqtest.Result(`<query xmlns="jabber:iq:roster"/>`)),
		"an answer about another":   iqtest.Replies(iqtest.Result(`<chat xmlns="urn:xmpp:archive" with="bob@messenger.live.com" start="2012-06-01T10:00:00Z"><to><body>secret</body></to></chat>`)),
		"the listed one is refused": iqtest.Replies(iqtest.Result(`<list xmlns="urn:xmpp:archive"><chat with="ann@messenger.live.com" start="2012-06-01T10:00:00Z"/></list>`), iqtest.Error("auth", "forbidden")),
	} {
		if tail, err := Retrieve(context.Background(), r, ann, 0); err == nil || len(tail) != 0 {
			t.Errorf("%s: %+v, %v", name, tail, err)
		}
	}
}

// thenSilence gives one answer, and none after it.
func thenSilence(answer string) *iqtest.Requester {
	first := true
	return &iqtest.Requester{Answer: func(iq.Request) (string, error) {
		if !first {
			return "", context.DeadlineExceeded
		}
		first = false
		return answer, nil
	}}
}

// server is an archive by the book: collections by exact start, first pages, links; it can be told to behave otherwise.
type server struct {
	collections []string // texts, one letter each, oldest collection first
	anyStart    bool     // gives the oldest collection for the epoch
	listForAll  bool     // answers retrieve of the epoch with the list
	asked       []string
}

func (s *server) answer(r iq.Request) (string, error) {
	s.asked = append(s.asked, string(r.Payload))
	var q struct {
		XMLName xml.Name
		Start   string `xml:"start,attr"`
		Set     struct {
			Max    int       `xml:"max"`
			Before *struct{} `xml:"before"`
		} `xml:"set"`
	}
	if err := xml.Unmarshal(r.Payload, &q); err != nil {
		return "", err
	}
	if q.XMLName.Local == "list" || q.Start == epoch && s.listForAll {
		list := ""
		for i := range s.collections {
			list += fmt.Sprintf(`<chat with="ann@messenger.live.com/x" start="2012-06-%02dT10:00:00Z"/>`, i+1)
		}
		return iqtest.Result(`<list xmlns="urn:xmpp:archive">` + list + `</list>`), nil
	}
	link := func(name string, i int) string {
		if i < 0 || i >= len(s.collections) {
			return ""
		}
		return fmt.Sprintf(`<%s with="ann@messenger.live.com" start="2012-06-%02dT10:00:00Z"/>`, name, i+1)
	}
	for i, texts := range s.collections {
		if q.Start == fmt.Sprintf("2012-06-%02dT10:00:00Z", i+1) || q.Start == epoch && s.anyStart {
			n := min(q.Set.Max, len(texts))
			first := 0
			if q.Set.Before != nil {
				first = len(texts) - n
			}
			inner := ""
			for _, text := range texts[first : first+n] {
				inner += fmt.Sprintf(`<from secs="1"><body>%c</body></from>`, text)
			}
			return chat(i+1, link("previous", i-1)+link("next", i+1)+inner+set(first, len(texts))), nil
		}
	}
	return iqtest.Error("cancel", "item-not-found"), nil
}

func TestOtherArchives(t *testing.T) {
	many := strings.Split(strings.Repeat("x,", 60), ",")[:60]
	for _, c := range []struct {
		name string
		s    server
		max  int
		want string
	}{
		{"start counts", server{collections: []string{"ab", "cd"}}, 10, "abcd"},
		{"the latest are wanted, not the first", server{collections: []string{"ab", "cdefgh"}}, 4, "efgh"},
		{"enough out of several", server{collections: []string{"ab", "cd", "ef"}}, 3, "def"},
		{"the first from then on", server{collections: []string{"ab", "cd"}, anyStart: true}, 10, "abcd"},
		{"only one, and long", server{collections: []string{"abcdefghijklmno"}, anyStart: true}, 10, "fghijklmno"},
		{"a list comes back", server{collections: []string{"ab", "cd"}, listForAll: true}, 10, "abcd"},
		{"nothing kept", server{}, 10, ""},
		{"a server is not asked for ever", server{collections: many}, 10, strings.Repeat("x", 10)},
		{"nor for more than fits", server{collections: many}, 50, strings.Repeat("x", maxRequests-2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			tail, err := Retrieve(context.Background(), &iqtest.Requester{Answer: c.s.answer}, ann, c.max)
			got := ""
			for _, e := range tail {
				got += e.Body
			}
			if err != nil || got != c.want {
				t.Errorf("%q, %v; want %q; asked\n%s", got, err, c.want, strings.Join(c.s.asked, "\n"))
			}
			if len(c.s.asked) > maxRequests {
				t.Errorf("%d requests", len(c.s.asked))
			}
		})
	}
}

func TestLinksLeadNowhereElse(t *testing.T) {
	for name, link := range map[string]string{
		"to itself":  `<previous with="ann@messenger.live.com" start="2012-06-01T10:00:00Z"/>`,
		"to another": `<previous with="bob@messenger.live.com" start="2012-05-01T10:00:00Z"/>`,
		"to nothing": `<previous/>`,
	} {
		r := iqtest.Replies(chat(1, link+`<from><body>a</body></from>`))
		tail, err := Retrieve(context.Background(), r, ann, 10)
		if got := show(tail); err != nil || got != "<a 1T10:00:00" || len(r.Sent()) != 1 {
			t.Errorf("%s: %s, %v, %d requests", name, got, err, len(r.Sent()))
		}
	}
}

func TestAServiceThatIgnoresPagingAndStart(t *testing.T) {
	// Ten of 37, the latest, whatever is asked; index and count say so.
	inner := ""
	for i := range 10 {
		inner += fmt.Sprintf(`<from secs="1"><body>%d</body></from>`, i)
	}
	for _, set := range []string{set(27, 37), set(0, 10), ""} {
		r := iqtest.Replies(chat(1, inner+set))
		tail, err := Retrieve(context.Background(), r, ann, 20)
		if err != nil || len(tail) != 10 || len(r.Sent()) != 1 {
			t.Errorf("%q: %+v, %v, %d requests", set, tail, err, len(r.Sent()))
		}
	}
}

func TestTheChatsWithHistory(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2012, 6, day, 10, 0, 0, 0, time.UTC) }
	item := func(who string, day int) string {
		return fmt.Sprintf(`<chat with="%s@x.org" start="2012-06-%02dT10:00:00Z"/>`, who, day)
	}
	list := func(inner string) string { return iqtest.Result(`<list xmlns="urn:xmpp:archive">` + inner + `</list>`) }
	page := func(index, count int, last string) string {
		return fmt.Sprintf(`<set xmlns="http://jabber.org/protocol/rsm"><first index="%d">f</first><last>%s</last><count>%d</count></set>`, index, last, count)
	}
	a, b, c := jid.MustParse("a@x.org"), jid.MustParse("b@x.org"), jid.MustParse("c@x.org")
	for _, test := range []struct {
		name     string
		r        *iqtest.Requester
		want     []Conversation
		requests int
	}{
		{
			"the latest first, each once", iqtest.Replies(list(item("a", 1) + item("b", 3) + item("A", 5) + `<chat with="@@"/><chat/><chat with="c@x.org/home" start="?"/>`)),
			[]Conversation{{a, at(5)}, {b, at(3)}, {c, time.Time{}}},
			1,
		},
		{
			"page by page", iqtest.Replies(list(item("a", 1)+page(0, 3, "1")), list(item("a", 2)+page(1, 3, "2")), list(item("b", 3)+page(2, 3, "3"))),
			[]Conversation{{b, at(3)}, {a, at(2)}},
			3,
		},
		{"a service that ignores paging", iqtest.Replies(list(item("a", 1) + page(0, 3, "1"))), []Conversation{{a, at(1)}}, 2},
		{"a page that fails", iqtest.Replies(list(item("a", 1)+page(0, 3, "1")), iqtest.Error("wait", "resource-constraint")), []Conversation{{a, at(1)}}, 2},
		{"nothing", iqtest.Replies(list("")), nil, 1},
		{"an empty iq", iqtest.Replies(iqtest.Result("")), nil, 1},
		{"an empty chat", iqtest.Replies(iqtest.Result(`<chat xmlns="urn:xmpp:archive"/>`)), nil, 1},
		{"item-not-found", iqtest.Replies(iqtest.Error("cancel", "item-not-found")), nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := List(context.Background(), test.r)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, %v", got, err)
			}
			sent := test.r.Sent()
			if len(sent) != test.requests || string(sent[0].Payload) != `<list xmlns="urn:xmpp:archive"/>` {
				t.Errorf("asked %s", sent)
			}
		})
	}
	if _, err := List(context.Background(), iqtest.Replies(iqtest.Error("cancel", "feature-not-implemented"))); !iq.Refused(err) {
		t.Error(err)
	}
	endless := 0
	r := &iqtest.Requester{Answer: func(iq.Request) (string, error) {
		endless++
		return list(item(fmt.Sprint("u", endless), 1) + page(endless, 1e6, fmt.Sprint(endless))), nil
	}}
	if got, err := List(context.Background(), r); err != nil || len(got) != maxPages {
		t.Errorf("%d, %v", len(got), err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(`<chat xmlns="urn:xmpp:archive" with="ann@messenger.live.com" start="2012-06-01T10:00:00Z"><previous with="ann@messenger.live.com" start="2011-06-01T10:00:00Z"/><from secs="0"><body>hello</body></from><to utc="2012-06-01T10:00:00Z"><body xml:lang="x">hi</body></to>`+set(1, 9)+`</chat>`, 5)
	f.Add(`<list xmlns="urn:xmpp:archive"><chat with="ann@messenger.live.com" start="2012-06-01T10:00:00Z"/></list>`, 10)
	f.Fuzz(func(t *testing.T, in string, max int) {
		answer := iqtest.Result(in)
		if xml.Unmarshal([]byte(answer), new(struct{})) != nil {
			return
		}
		r := iqtest.Replies(answer)
		tail, err := Retrieve(context.Background(), r, ann, max)
		if max <= 0 {
			max = DefaultMax
		}
		if len(tail) > max || len(r.Sent()) > maxRequests || err != nil && len(tail) > 0 {
			t.Errorf("%d entries, %d requests, %v", len(tail), len(r.Sent()), err)
		}
		for _, e := range tail {
			if e.Body == "" || e.Time.Year() > 20000 {
				t.Errorf("%+v", e)
			}
		}
		if list, err := List(context.Background(), r); len(list) > MaxListed || err != nil && len(list) > 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}
