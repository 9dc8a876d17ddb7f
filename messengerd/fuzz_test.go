package messengerd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// memoryConn is a connection that gives fixed input and takes every output.
type memoryConn struct{ in *bytes.Reader }

func (c memoryConn) Read(p []byte) (int, error)     { return c.in.Read(p) }
func (memoryConn) Write(p []byte) (int, error)      { return len(p), nil }
func (memoryConn) Close() error                     { return nil }
func (memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (memoryConn) SetDeadline(time.Time) error      { return nil }
func (memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (memoryConn) SetWriteDeadline(time.Time) error { return nil }

const fuzzHeader = "<stream:stream to='messenger.live.com' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

// stanzas that the fuzzers begin with: one for each thing that is acted on.
var fuzzSeeds = []string{
	"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
	"<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='b@messenger.live.com' name='B'><group>g</group></item></query></iq>",
	"<iq type='get' id='1' to='b@contoso.com'><getjid xmlns='http://messenger.live.com/xmpp/jidlookup'/></iq>",
	"<iq type='get' id='1' to='b@messenger.live.com'><vCard xmlns='vcard-temp'/></iq>",
	"<iq type='get' id='1'><retrieve xmlns='urn:xmpp:archive' with='b@messenger.live.com' start='1970-01-01T00:00:00Z'><set xmlns='http://jabber.org/protocol/rsm'><max>3</max></set></retrieve></iq>",
	"<iq type='get' id='1'><list xmlns='urn:xmpp:archive' start='2012-01-01T00:00:00Z' end='x'/></iq>",
	"<message type='chat' id='m' to='b@messenger.live.com/x'><body>hi &#x1F600;</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
	"<presence><show>away</show><status>x</status><priority>-1</priority></presence>",
	"<presence type='subscribe' to='b@messenger.live.com'><nick xmlns='http://jabber.org/protocol/nick'>J</nick></presence>",
	"<presence type='unsubscribed' to='b@messenger.live.com'/><presence type='unavailable'/>",
	"<iq type='get' id='1'><x:a xmlns:x='u' x:y='z' xml:lang='en'/></iq></stream:stream>",
	"<?x?>", "<!DOCTYPE a>", "<!---->", "<a", "<a><b></a>", "&amp;", "<a>&b;</a>",
}

// FuzzStreamReader feeds anything to the reader. Whatever it accepts must be
// written so that it is read back as the same element.
func FuzzStreamReader(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(fuzzHeader + seed))
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r := newStreamReader(newCountedConn(memoryConn{bytes.NewReader(input)}))
		r.limit = 4096
		if _, err := r.readHeader(); err != nil {
			return
		}
		for {
			e, err := r.next()
			if err != nil {
				var fault *streamFault
				if !errors.As(err, &fault) && !errors.Is(err, errStreamEnd) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("an error of no known kind: %T %v", err, err)
				}
				if fault != nil && !streamConditions[fault.condition] {
					t.Errorf("%s is not a stream error", fault.condition)
				}
				return
			}
			text := e.bytes(styleSelfContained)
			again := newStreamReader(newCountedConn(memoryConn{bytes.NewReader(append([]byte(fuzzHeader), text...))}))
			if _, err := again.readHeader(); err != nil {
				t.Fatal(err)
			}
			back, err := again.next()
			if err != nil {
				if e.plain() {
					t.Fatalf("%q was written as %q, which is not read: %v", input, text, err)
				}
				continue
			}
			if e.plain() && !bytes.Equal(back.bytes(styleSelfContained), text) {
				t.Fatalf("written %q, read back %q", text, back.bytes(styleSelfContained))
			}
		}
	})
}

// plain says whether an element's names and namespaces are such as a stanza
// has: encoding/xml lets through undeclared prefixes and odd names, which the
// server never passes on.
func (e *element) plain() bool {
	if e.space == "" || !plainName(e.name) || e.space == nsStream {
		return false
	}
	for _, a := range e.attrs {
		if !plainName(a.name) {
			return false
		}
	}
	for _, c := range e.children {
		if !c.plain() {
			return false
		}
	}
	return true
}

func plainName(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return name != "" && name != "xmlns"
}

// FuzzSignedInClient lets a signed-in client send anything. Nothing may panic
// or block, and what goes to the contact must be well-formed.
func FuzzSignedInClient(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		cfg := DefaultConfig()
		cfg.Accounts = []AccountConfig{
			{JID: "a@messenger.live.com", Email: "a@contoso.com", Contacts: []ContactConfig{{Account: "b@contoso.com"}}},
			{JID: "b@messenger.live.com", Email: "b@contoso.com", Contact: true},
			{JID: "c@messenger.live.com", Contact: true, Invitations: "accept"},
		}
		cfg.Switches.RosterRefusal, cfg.Switches.RefusedPresence = "carried_out", "carried_out"
		sent := &bytes.Buffer{}
		s := fuzzServer(t, cfg, sent)
		a := fuzzSession(s, "a@messenger.live.com", "r", append([]byte(fuzzHeader), input...))
		b := fuzzSession(s, "b@messenger.live.com", "x", nil)
		b.setPresence(presence{known: true, online: true})
		if _, err := a.reader.readHeader(); err != nil {
			t.Fatal(err)
		}
		for {
			e, err := a.reader.next()
			if err == nil {
				err = a.handle(e)
			}
			if err != nil {
				break
			}
		}
		a.detach()
		b.detach()
		a.q.wg.Wait()
		b.q.wg.Wait()
		dec := xml.NewDecoder(sent)
		for {
			_, err := dec.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("not well-formed was sent: %v", err)
			}
		}
	})
}

func fuzzServer(t *testing.T, cfg *Config, sent *bytes.Buffer) *Server {
	s, err := newServer(cfg, &certificates{}, WithTrace(func(e TraceEvent) {
		if !e.FromC && e.Account == "b@messenger.live.com" {
			sent.WriteString(e.XML)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fuzzSession(s *Server, account, resource string, input []byte) *session {
	ses := newSession(s, memoryConn{bytes.NewReader(input)}, 0)
	ses.resource, ses.jid = resource, account+"/"+resource
	ses.header = true
	s.Account(account).register(ses)
	return ses
}
