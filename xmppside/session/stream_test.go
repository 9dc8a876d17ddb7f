package session

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/xmppside/internal/memnet"
	"matrix-messenger/xmppside/iq"
)

// collector is a Handler that keeps what it reads.
type collector struct {
	mu     sync.Mutex
	got    []string
	fail   error
	answer string
}

func (c *collector) HandleStanza(_ context.Context, s *Stanza) error {
	var m struct {
		From string `xml:"from,attr"`
		Body string `xml:"jabber:client body"`
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	if s.Start.Name.Local == "presence" {
		c.got = append(c.got, "presence") // not decoded: skipping is the stream's work
		return nil
	}
	if err := s.Decode(&m); err != nil {
		return err
	}
	if raw := string(s.r.conn.Raw()); !strings.HasPrefix(raw, "<") || !strings.HasSuffix(raw, ">") {
		return fmt.Errorf("raw: %q", raw)
	}
	c.got = append(c.got, m.From+":"+m.Body)
	return nil
}

func (c *collector) HandleSet(_ context.Context, from string, trusted bool, s *Stanza) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, fmt.Sprintf("set %s %v %s", from, trusted, s.Start.Name.Local))
	return c.answer, nil
}

func (c *collector) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.got, "|")
}

// signedIn starts a stream whose service goes on with more steps.
func signedIn(t *testing.T, h Handler, more ...step) (*Stream, *peer, <-chan *Failure) {
	t.Helper()
	s, p, err := dial(t, append(plain(), more...), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan *Failure, 1)
	go func() { ended <- s.Run(t.Context(), h) }()
	t.Cleanup(func() { s.end(&Failure{Cause: Closed}) })
	return s, p, ended
}

func TestWhatAServiceMaySend(t *testing.T) {
	const msg = `<message from="a@x" type="chat"><body>last</body></message>`
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	for _, c := range []struct {
		name, xml string
		got       string // what the handler gets; the stream lives on
		cause     Cause  // or how the stream ends
		heard     string // what the service hears
	}{
		{"a message", msg, "a@x:last", "", ""},
		{"a bad sender is data", `<message from="@@bad/"><body>x</body></message>` + msg, "@@bad/:x|a@x:last", "", ""},
		{"no sender, no body", `<message/>` + msg, ":|a@x:last", "", ""},
		{"presence that nobody decodes", `<presence from="a@x/r"><show>away</show><x xmlns="y"><z/></x></presence>` + msg, "presence|a@x:last", "", ""},
		{"CDATA and references", `<message from="a@x"><body><![CDATA[<b>]]>&amp;&#x1F600;</body></message>`, "a@x:<b>&😀", "", ""},
		{"elements nobody knows", `<a xmlns="urn:b"><message/></a><stream:thing/><foo/>` + msg, "a@x:last", "", ""},
		{"stanzas of another namespace", `<message xmlns="jabber:server" from="b@x"><body>no</body></message>` + msg, "a@x:last", "", ""},
		{"a body of another namespace", `<message from="a@x"><body xmlns="urn:b">no</body></message>`, "a@x:", "", ""},
		{"a prefixed stanza", `<c:message xmlns:c="jabber:client" from="a@x"><c:body>yes</c:body></c:message>`, "a@x:yes", "", ""},
		{"white space between stanzas", " \r\n\t " + msg + "\n", "a@x:last", "", ""},
		{"moderate depth", `<message from="a@x">` + nested(50) + `<body>d</body></message>`, "a@x:d", "", ""},
		{"a big stanza and a small one", `<message from="a@x"><body>` + strings.Repeat("y", 20000) + `</body></message>` + msg, "a@x:" + strings.Repeat("y", 20000) + "|a@x:last", "", ""},
		{"a result that nobody asked for", `<iq type="result" id="zz"><q xmlns="w"/></iq><iq type="error"/><iq type="odd" id="1"/><iq/>` + msg, "a@x:last", "", ""},
		{
			"a request that nobody handles", `<iq type="get" id="q1" from="a@x/r"><query xmlns="jabber:iq:version"/></iq>` + msg, "a@x:last", "",
			`<iq type="error" id="q1" to="a@x/r"><error type="cancel"><service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>`,
		},
		{"a request with several children", `<iq type="set" id="q1"><a xmlns="b"><c/></a> <d/>x</iq>` + msg, "set  true a|a@x:last", "", `<iq type="result" id="q1"/>`},
		{"a set from a stranger", `<iq type="set" id="q1" from="evil@x"><query xmlns="jabber:iq:roster"/></iq>`, "set evil@x false query", "", `<iq type="result" id="q1" to="evil@x"/>`},
		{"a request without a child", `<iq type="get" id="q1"/>`, "", "", "service-unavailable"},
		{"a ping", `<iq type="get" id="p" from="` + domain + `"><ping xmlns="urn:xmpp:ping"/></iq>`, "", "", `<iq type="result" id="p" to="` + domain + `"/>`},
		{"a request with a huge id", `<iq type="get" id="` + strings.Repeat("i", 17000) + `"><q xmlns="w"/></iq>` + msg, "a@x:last", "", ""},

		{"the end", "</stream:stream>", "", Lost, ""},
		{"a cut", markClose, "", Lost, ""},
		{"half a stanza", `<message from="a@x"><bo` + markClose, "", Lost, ""},
		{"half a stanza, slowly", `<message from="a@x">` + strings.Repeat("<a/>"+markPause, 4), "", Oversize, ""},
		{"a stanza without an end", `<message>` + strings.Repeat("<a/>", 20000), "", Oversize, ""},
		{"a body without an end", `<message><body>` + strings.Repeat("x", 70000), "", Oversize, ""},
		{"a huge attribute", `<message from="` + strings.Repeat("x", 70000) + `"/>`, "", Oversize, ""},
		{"many attributes", `<message ` + manyAttributes(100) + `/>`, "", Malformed, ""},
		{"deep nesting", `<message>` + nested(100) + `</message>`, "", Malformed, ""},
		{"deep nesting in a request", `<iq type="get" id="1">` + nested(100) + `</iq>`, "", Malformed, ""},
		{"a comment", `<message><!-- c --></message>`, "", Malformed, ""},
		{"a processing instruction", `<?x y?>`, "", Malformed, ""},
		{"a second XML declaration", `<?xml version="1.0"?>`, "", Malformed, ""},
		{"a DTD", `<!DOCTYPE lolz [<!ENTITY lol "lol">]>`, "", Malformed, ""},
		{"an unknown entity", `<message><body>&lol;</body></message>`, "", Malformed, ""},
		{"text between stanzas", `hello` + msg, "", Malformed, ""},
		{"a stray end tag", `</message>`, "", Malformed, ""},
		{"tags that do not match", `<message><body></message></body>`, "", Malformed, ""},
		{"bytes that are no UTF-8", "<message><body>\xff\xfe</body></message>", "", Malformed, ""},
		{"a character that XML forbids", "<message><body>&#0;</body></message>", "", Malformed, ""},
		{"a stream error", streamErrorXML("policy-violation", ""), "", StreamError, ""},
		{"a stream error with a bare prefix", `<stream:error><reset xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>`, "", StreamError, ""},
		{"a redirect", streamErrorXML("see-other-host", "h.example"), "", Redirected, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := new(collector)
				s, p, ended := signedIn(t, h, step{"", c.xml})
				if c.cause != "" {
					if f := <-ended; f.Cause != c.cause {
						t.Errorf("ended with %v, want %s", f, c.cause)
					}
					return
				}
				time.Sleep(time.Second)
				if got := h.all(); got != c.got {
					t.Errorf("got %.200q, want %.200q", got, c.got)
				}
				if !strings.Contains(p.said(), c.heard) {
					t.Errorf("the service heard %s", p.said())
				}
				select {
				case f := <-ended:
					t.Errorf("the stream ended with %v", f)
				case <-s.Done():
					t.Error("the stream is done")
				default:
				}
			})
		})
	}
}

func TestABigStanzaLeavesNoBigBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, err := dial(t, append(plain(), step{"", `<message><body>` + strings.Repeat("y", 60000) + `</body></message>` + markTwo + markClose}), testOptions())
		if err != nil {
			t.Fatal(err)
		}
		before := s.in.guard
		if f := s.Run(t.Context(), new(collector)); f.Cause != Lost {
			t.Errorf("ended with %v", f)
		}
		if cap(s.conn.tap) > keepTap || s.in.guard == before {
			t.Errorf("the tap holds %d bytes", cap(s.conn.tap))
		}
	})
}

func TestAnAnswerCountsOnlyFromWhoWasAsked(t *testing.T) {
	type answer struct {
		XMLName xml.Name `xml:"w q"`
		Value   string   `xml:"v,attr"`
	}
	for _, c := range []struct {
		to, from string
		fits     bool
	}{
		{"", "", true},
		{"", domain, true},
		{"", "U1@" + domain, true},
		{"", "u1@Messenger.Live.Com/bridge", true},
		{"", "u1@" + domain + "/other", false},
		{"", domain + "/x", false},
		{"", "evil@" + domain, false},
		{"a@x.example", "A@x.example", true},
		{"a@x.example", domain, true},
		{"a@x.example", "", true},
		{"a@x.example", "u1@" + domain, true},
		{"a@x.example", "b@x.example", false},
		{"a@x.example", "a@x.example/evil", false},
	} {
		t.Run(c.to+" "+c.from, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p, _ := signedIn(t, new(collector), step{"</iq>", ""})
				reply := make(chan error, 1)
				var got answer
				go func() {
					reply <- s.Request(t.Context(), iq.Request{Type: "get", To: c.to, Payload: []byte(`<q xmlns="w"/>`)}, &got)
				}()
				synctest.Wait()
				said := p.said()
				_, id, _ := strings.Cut(said[strings.LastIndex(said, "<iq"):], `id="`)
				id, _, _ = strings.Cut(id, `"`)
				p.say(`<iq type="result" id="` + id + `" from="` + c.from + `"><q xmlns="w" v="first"/></iq>`)
				synctest.Wait()
				p.say(`<iq type="result" id="` + id + `" from="` + c.to + `"><q xmlns="w" v="second"/></iq>`)
				if err := <-reply; err != nil || (got.Value == "first") != c.fits {
					t.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
}

func TestRequestsEndWithTheirContextTheirTimeOrTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, ended := signedIn(t, new(collector))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Request(ctx, iq.Request{Type: "get"}, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		result := make(chan error, 1)
		go func() { result <- s.Request(t.Context(), iq.Request{Type: "get"}, nil) }()
		synctest.Wait()
		s.Close()
		<-ended
		if err := <-result; !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
		if err := s.Request(t.Context(), iq.Request{Type: "get"}, nil); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
		if n := len(s.table.open); n != 0 {
			t.Errorf("%d requests are left in the table", n)
		}
	})
}

func TestASenderToAServiceThatDoesNotReadHasItsOwnDeadlineAndTheSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memnet.Pipe()
		go newPeer(t, theirs).play(plain())
		s, err := Connect(t.Context(), ours, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		ours.Freeze(true)
		ended := make(chan *Failure, 1)
		go func() { ended <- s.Run(t.Context(), new(collector)) }()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		for err == nil {
			err = s.Send(ctx, []byte("<presence/>"))
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("sending gave %v after %v", err, time.Since(began))
		}
		if f := <-ended; f.Cause != Stuck || time.Since(began) != 30*time.Second {
			t.Errorf("ended with %v after %v", f, time.Since(began))
		}
	})
}

func TestAHandlersErrorEndsTheStreamAsItsOwnKindOfFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		_, _, ended := signedIn(t, &collector{fail: full}, step{"", `<message/>`})
		if f := <-ended; f.Cause != Refused || !errors.Is(f, full) {
			t.Errorf("ended with %v", f)
		}
	})
}

func TestOfStanzasThatReplaceEachOtherTheLastIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := signedIn(t, new(collector))
		for i := range 100 {
			if err := s.Replace(fmt.Appendf(nil, "<presence><status>%d</status></presence>", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Send(t.Context(), []byte("<message/>")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		said := p.said()
		if !strings.Contains(said, ">99<") || strings.Index(said, ">99<") > strings.Index(said, "<message/>") {
			t.Errorf("the service heard %s", said)
		}
	})
}

func TestLimitsOfWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, ended := signedIn(t, new(collector))
		if err := s.Send(t.Context(), make([]byte, 16001)); !errors.Is(err, ErrTooLong) {
			t.Error(err)
		}
		if err := s.Replace(make([]byte, 16001)); !errors.Is(err, ErrTooLong) {
			t.Error(err)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Send(cancelled, []byte("<presence/>")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.Close()
		<-ended
		if err := s.Send(t.Context(), []byte("<presence/>")); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
	})
}

func TestWhatArrivesWhileTheStreamIsBeingClosedIsStillHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, _, err := dial(t, append(plain(), step{closingTag, `<message from="a@x"><body>last</body></message>` + markTwo + `<message from="a@x"><body>really</body></message></stream:stream>`}), testOptions())
		if err != nil {
			t.Fatal(err)
		}
		h := &contextual{}
		ended := make(chan *Failure, 1)
		go func() { ended <- s.Run(ctx, h) }()
		synctest.Wait()
		cancel()
		if f := <-ended; f.Cause != Closed || h.all() != "a@x:last|a@x:really" {
			t.Errorf("ended with %v after %q", f, h.all())
		}
	})
}

// contextual is a collector that refuses what comes with a context that has ended, as a database does.
type contextual struct{ collector }

func (c *contextual) HandleStanza(ctx context.Context, s *Stanza) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.collector.HandleStanza(ctx, s)
}
