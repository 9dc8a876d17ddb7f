package session

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// sourceConn gives a header and then the same stanza again and again.
type sourceConn struct {
	net.Conn
	text string
	at   int
	left int
}

func (c *sourceConn) Read(p []byte) (int, error) {
	if c.at == len(c.text) {
		if c.left == 0 {
			return 0, io.EOF
		}
		c.left--
		c.at = strings.Index(c.text, "<message")
	}
	n := copy(p, c.text[c.at:])
	c.at += n
	return n, nil
}

func (*sourceConn) SetReadDeadline(time.Time) error { return nil }

type benchHandler struct{ n int }

func (h *benchHandler) HandleStanza(_ context.Context, s *Stanza) error {
	var m struct {
		From string    `xml:"from,attr"`
		ID   string    `xml:"id,attr"`
		Body string    `xml:"jabber:client body"`
		Act  *struct{} `xml:"http://jabber.org/protocol/chatstates active"`
	}
	h.n++
	return s.Decode(&m)
}

func (*benchHandler) HandleSet(context.Context, string, bool, *Stanza) (string, error) {
	return "", nil
}

// BenchmarkReceive reads messages of five children.
func BenchmarkReceive(b *testing.B) {
	const message = `<message type="chat" id="abcdef" from="1234567890abcdef@messenger.live.com/{2F1A}" to="fedcba0987654321@messenger.live.com"><body>hello, how are you today?</body><active xmlns="http://jabber.org/protocol/chatstates" /><nick xmlns="http://jabber.org/protocol/nick">Ann</nick><x xmlns="jabber:x:event" /><thread>t1</thread></message>`
	b.ReportAllocs()
	conn := newConn(&sourceConn{text: serverHeader + message, left: b.N - 1}, 1<<20, time.Minute)
	in, _, err := newXMLReader(conn)
	if err != nil {
		b.Fatal(err)
	}
	s := &Stream{conn: conn, in: in}
	h := new(benchHandler)
	b.ResetTimer()
	if f := readFailure(s.read(context.Background(), h)); f.Cause != Lost || h.n != b.N {
		b.Fatalf("%v after %d", f, h.n)
	}
}

// sinkConn takes everything.
type sinkConn struct{ net.Conn }

func (sinkConn) Write(p []byte) (int, error)      { return len(p), nil }
func (sinkConn) SetWriteDeadline(time.Time) error { return nil }
func (sinkConn) Close() error                     { return nil }

// BenchmarkSend queues and writes messages.
func BenchmarkSend(b *testing.B) {
	b.ReportAllocs()
	s := &Stream{
		conn: newConn(sinkConn{}, 1, time.Minute), raw: sinkConn{},
		closer: make(chan struct{}), done: make(chan struct{}),
	}
	s.opts.defaults()
	ids := make([]string, 1024)
	for i := range ids {
		ids[i] = fmt.Sprintf("%032x", i)
	}
	b.ResetTimer()
	for i := range b.N {
		if err := s.SendMessage(context.Background(), Message{To: "1234567890abcdef@messenger.live.com", ID: ids[i%1024], Body: "hello, how are you & yours today?"}); err != nil {
			b.Fatal(err)
		}
	}
	s.end(&Failure{Cause: Closed})
	s.written.Wait()
}
