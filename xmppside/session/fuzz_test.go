package session

import (
	"context"
	"encoding/xml"
	"net"
	"strings"
	"testing"
	"time"
)

// textConn is a connection on which a text arrives, in pieces, and then nothing any more.
type textConn struct {
	net.Conn
	text  string
	piece int
}

func (c *textConn) Read(p []byte) (int, error) {
	if c.text == "" {
		return 0, net.ErrClosed
	}
	n := copy(p[:min(len(p), c.piece)], c.text)
	c.text = c.text[n:]
	return n, nil
}

func (*textConn) SetReadDeadline(time.Time) error  { return nil }
func (*textConn) SetWriteDeadline(time.Time) error { return nil }
func (*textConn) Write(p []byte) (int, error)      { return len(p), nil }

// fuzzHandler decodes everything and checks what it is given.
type fuzzHandler struct{ t *testing.T }

func (h fuzzHandler) HandleStanza(_ context.Context, s *Stanza) error {
	var m struct {
		Body string `xml:"jabber:client body"`
	}
	if err := s.Decode(&m); err != nil {
		return err
	}
	if raw := string(s.r.conn.Raw()); raw == "" || raw[0] != '<' || raw[len(raw)-1] != '>' {
		h.t.Errorf("raw stanza %q", raw)
	}
	return nil
}

func (h fuzzHandler) HandleSet(_ context.Context, _ string, _ bool, s *Stanza) (string, error) {
	var q struct{ XMLName xml.Name }
	return "", s.Decode(&q)
}

// FuzzStreamReader reads whatever a service may send. Each input must end in a classified failure, and must not change
// when it arrives in other pieces.
func FuzzStreamReader(f *testing.F) {
	for _, s := range []string{
		serverHeader + `<message from="a@x"><body>b</body></message> <presence/></stream:stream>`,
		serverHeader + `<iq type="set" id="1"><query xmlns="jabber:iq:roster"><item/></query></iq><iq type="result" id="2"/>`,
		serverHeader + streamErrorXML("see-other-host", "[::1]:1"),
		streamErrorXML("conflict", ""),
		`<stream:stream xmlns:stream="http://etherx.jabber.org/streams"><message><![CDATA[]]>&lt;</message>`,
		`<?xml version="1.0"?><!DOCTYPE a><a/>`,
		serverHeader + `<a:b xmlns:a="a" c:d="e"/><x/>`,
	} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, text string, piece int) {
		run := func(piece int) string {
			conn := newConn(&textConn{text: text, piece: piece}, 32<<10, time.Hour)
			in, _, err := newXMLReader(conn)
			if err == nil {
				s := &Stream{conn: conn, in: in, done: make(chan struct{}), closer: make(chan struct{})}
				s.opts.defaults()
				s.opts.Domain = domain
				err = s.read(t.Context(), fuzzHandler{t})
				s.out.end()
				s.written.Wait()
			}
			failed := readFailure(err)
			if failed == nil || failed.Cause == "" || len(failed.Text) > maxText || strings.ContainsAny(failed.Text, "\n\x1b") {
				t.Errorf("ended with %+v", failed)
			}
			if failed.Cause == Refused {
				t.Errorf("the handler's error %v was not seen as the stream's", failed)
			}
			return string(failed.Cause) + failed.Condition + failed.Target
		}
		whole, pieces := run(4096), run(1+(piece&0xff+256)%256)
		if whole != pieces {
			t.Errorf("in one piece %q, in small ones %q", whole, pieces)
		}
	})
}
