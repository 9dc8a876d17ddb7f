package messengerd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// errEnded says that the session has already said why it ends.
var errEnded = errors.New("session ended")

// session is one connection. Its goroutine reads and acts; see queue for
// writing.
type session struct {
	srv    *Server
	number uint64
	hop    int
	raw    net.Conn // TCP
	in     *countedConn
	reader *streamReader
	q      queue
	header bool // the server's header of the current stream is out; guarded by q.mu

	// Set at bind, fixed afterwards.
	account  *Account
	resource string
	jid      string // full
	token    string // account's JID by the token, before bind
	expires  time.Time
	since    time.Time

	owner atomic.Pointer[Account] // account, for other goroutines

	last atomic.Int64 // time of the last complete stanza, in Unix nanoseconds of the server's clock

	// Guarded by account.mu.
	bound     bool
	hasRoster bool
	show      presence
	receives  bool // stored messages were handed over
}

// presence is what one resource shows.
type presence struct {
	known    bool // initial presence was sent
	online   bool
	show     string // "", away, chat, dnd, xa
	status   string
	priority int
}

// element is the presence stanza without addresses.
func (p presence) element() *element {
	if !p.online {
		return el(nsClient, "presence", "type", "unavailable").with(textChild("status", p.status))
	}
	e := el(nsClient, "presence").with(textChild("show", p.show), textChild("status", p.status))
	if p.priority != 0 {
		e.with(el(nsClient, "priority").withText(fmt.Sprint(p.priority)))
	}
	return e
}

// textChild is a child in jabber:client, nil for an empty text.
func textChild(name, text string) *element {
	if text == "" {
		return nil
	}
	return el(nsClient, name).withText(text)
}

func newSession(s *Server, c net.Conn, hop int) *session {
	ses := &session{srv: s, number: s.numbers.Add(1), hop: hop, raw: c}
	ses.q.conn = c
	ses.q.space = make(chan struct{}, 1)
	ses.in = newCountedConn(c)
	ses.reader = newStreamReader(ses.in)
	return ses
}

// run is the session's goroutine, from accept to the closed connection.
func (ses *session) run() {
	defer ses.srv.forget(ses)
	defer ses.finish()
	defer func() {
		// A defect met by one client must not end the service for all.
		if p := recover(); p != nil {
			ses.srv.log.Error("a session failed", "session", ses.number, "panic", p, "stack", string(debug.Stack()))
			ses.cut()
		}
	}()
	_ = ses.raw.SetReadDeadline(time.Now().Add(ses.srv.negotiation))
	if err := ses.negotiate(); err != nil {
		ses.fail(err)
		return
	}
	ses.clearDeadline()
	for {
		ses.q.waitBelow(ses.srv.ctx.Done())
		ses.reader.limit = ses.srv.sw().LongestStanza
		stanza, err := ses.reader.next()
		if ses.q.isClosed() {
			return
		}
		if err == nil {
			ses.touch()
			ses.traceIn(stanza)
			err = ses.handle(stanza)
		}
		if err != nil {
			ses.fail(err)
			return
		}
	}
}

// clearDeadline ends the time limit of the negotiation, unless the session is
// being ended and has a new one.
func (ses *session) clearDeadline() {
	ses.q.mu.Lock()
	defer ses.q.mu.Unlock()
	if !ses.q.closed {
		_ = ses.raw.SetReadDeadline(time.Time{})
	}
}

func (ses *session) touch() { ses.last.Store(ses.srv.now().UnixNano()) }

// fail ends the session for the reason that its reader met.
func (ses *session) fail(err error) {
	var fault *streamFault
	switch {
	case errors.Is(err, errEnded):
	case errors.As(err, &fault):
		ses.srv.log.Info("stream ended with an error", "session", ses.number, "account", ses.who(), "condition", fault.condition)
		ses.endWithError(fault.condition, fault.text)
	case errors.Is(err, os.ErrDeadlineExceeded):
		ses.endWithError("connection-timeout", "")
	default:
		ses.end([]byte("</stream:stream>"), closeOrderly)
	}
}

// finish takes the session out of everything and closes the connection.
func (ses *session) finish() {
	ses.end([]byte("</stream:stream>"), closeOrderly)
	ses.detach()
	ses.q.wg.Wait()
	ses.restore()
	ses.q.mu.Lock()
	how, linger := ses.q.how, ses.q.linger
	ses.q.mu.Unlock()
	if how == closeNever && ses.srv.ctx.Err() == nil {
		linger = time.Now().Add(ses.srv.negotiation)
	}
	_ = ses.raw.SetReadDeadline(linger)
	_, _ = io.Copy(io.Discard, io.LimitReader(ses.raw, stanzaBound))
	_ = ses.raw.Close()
	ses.srv.log.Debug("connection closed", "session", ses.number, "account", ses.who())
}

// restore stores messages that were queued but never written.
func (ses *session) restore() {
	items := ses.q.rest()
	if ses.account == nil {
		return
	}
	var back []storedMessage
	for _, item := range items {
		if item.keep != nil {
			back = append(back, *item.keep)
		}
	}
	ses.account.giveBack(back)
}

// who is the account's JID, "" before bind; any goroutine may ask.
func (ses *session) who() string {
	if a := ses.owner.Load(); a != nil {
		return a.jid
	}
	return ""
}

// send queues an element for the client; false when it cannot take any more.
func (ses *session) send(e *element) bool { return ses.sendItem(e, nil) }

func (ses *session) sendItem(e *element, keep *storedMessage) bool {
	data := e.bytes(styleOf(ses.srv.sw().XMLStyle))
	ses.traceOut(data)
	return ses.sendBytes(data, keep)
}

func (ses *session) sendBytes(data []byte, keep *storedMessage) bool {
	ok, full := ses.q.put(outItem{data: data, keep: keep})
	if full {
		ses.srv.log.Warn("a client does not read, its session ends", "session", ses.number, "account", ses.who())
		ses.cut()
	}
	return ok
}

// end closes the session after what is queued and final.
func (ses *session) end(final []byte, how closing) {
	ses.q.mu.Lock()
	if !ses.header && how == closeOrderly && string(final) == "</stream:stream>" {
		final = nil // no stream to close yet
	}
	ses.q.mu.Unlock()
	if ses.q.close(final, how) {
		if len(final) > 0 {
			ses.traceOut(final)
		}
		if how == closeNever {
			return
		}
		// The reader is woken by the client's end or by this.
		_ = ses.raw.SetReadDeadline(time.Now().Add(lingerTime))
	}
}

// endWithError closes the session with a stream error (protocol, section 13.2).
func (ses *session) endWithError(condition, text string) {
	e := el(nsStream, "error").with(el(nsStreams, condition))
	if text != "" {
		t := el(nsStreams, "text").withText(text)
		t.attrs = append(t.attrs, attr{space: nsXML, name: "lang", value: "en"})
		e.with(t)
	}
	ses.endWith(e, true, closeOrderly)
}

// endWith closes the session with an element, with a header before it where none was sent yet.
func (ses *session) endWith(e *element, header bool, how closing) {
	var b []byte
	ses.q.mu.Lock()
	if !ses.header && header {
		ses.header = true
		b = ses.headerBytes("")
	}
	ses.q.mu.Unlock()
	b = e.appendTo(b, nsClient, styleOf(ses.srv.sw().XMLStyle))
	if how == closeOrderly {
		b = append(b, "</stream:stream>"...)
	}
	ses.end(b, how)
}

// cut closes the connection at once, without a word.
func (ses *session) cut() { ses.q.drop(ses.raw) }

// guid makes a resource the way the service is assumed to (protocol, section 8).
func guid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (ses *session) traceIn(e *element) {
	if ses.srv.trace == nil {
		return
	}
	shown := *e
	if e.space == nsSASL {
		shown.text = "[token]"
	}
	ses.srv.trace(TraceEvent{Session: ses.number, Account: ses.who(), FromC: true, XML: string(shown.bytes(styleSelfContained))})
}

func (ses *session) traceOut(data []byte) {
	if ses.srv.trace != nil {
		ses.srv.trace(TraceEvent{Session: ses.number, Account: ses.who(), XML: strings.Clone(string(data))})
	}
}
