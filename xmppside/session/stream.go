package session

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/xmltext"
)

// queueLength is how many stanzas wait for the writer at most; then Send waits.
const queueLength = 16

var (
	// ErrTooLong says that a stanza is longer than the service takes; nothing of it was sent.
	ErrTooLong = errors.New("the stanza is longer than the service takes")
	// ErrEnded says that the stream has ended.
	ErrEnded = errors.New("the session has ended")
)

// Stream is a signed-in stream. Run must be called once, by its owner; the other methods are for any goroutine.
type Stream struct {
	opts   Options
	conn   *Conn
	raw    net.Conn // beneath TLS
	in     *xmlReader
	jid    jid.JID
	bare   string // own bare JID in lower case
	table  table
	out    outbound
	closer chan struct{} // closed by Close
	once   sync.Once

	done    chan struct{} // closed when the stream has ended
	written sync.WaitGroup
	fail    failOnce

	// suspect is the id of the last message that was written and not yet confirmed by a barrier after it.
	suspect atomic.Pointer[string]
}

// outgoing is one element in the queue.
type outgoing struct {
	data []byte
	// message is the id of a message, empty for other stanzas.
	message string
	// mark takes what suspect is when this element is written; nil if nobody wants to know.
	mark *atomic.Pointer[string]
	// ping says that it is the keepalive's.
	ping bool
}

// failOnce keeps the first failure: later ones are its consequences.
type failOnce struct {
	mu  sync.Mutex
	err *Failure
}

func (f *failOnce) set(err *Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *failOnce) get() *Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// JID is the full JID that the service has given.
func (s *Stream) JID() jid.JID { return s.jid }

// Done is closed when the stream has ended; Run may still be returning.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Suspect is the id of the last message written after which no barrier was answered, empty for none.
func (s *Stream) Suspect() string {
	if id := s.suspect.Load(); id != nil {
		return *id
	}
	return ""
}

// Send queues one complete stanza; ctx bounds the wait for a place in the queue. An error means that nothing of it was
// or will be written. An empty stanza is not sent.
func (s *Stream) Send(ctx context.Context, stanza []byte) error {
	return s.enqueue(ctx, outgoing{data: stanza})
}

// Message is a chat message to be sent.
type Message struct {
	To, ID, Body string
}

// Append appends the message as XML. Characters that XML does not allow are left out.
func (m Message) Append(b []byte) []byte {
	b = append(b, `<message type="chat"`...)
	if m.ID != "" {
		b = xmltext.AppendAttr(b, "id", m.ID)
	}
	b = xmltext.AppendAttr(b, "to", m.To)
	b = append(b, '>')
	b = xmltext.AppendElement(b, "body", m.Body)
	return append(b, "</message>"...)
}

// SendMessage queues a message like Send, and remembers its id until a barrier confirms it.
func (s *Stream) SendMessage(ctx context.Context, m Message) error {
	return s.enqueue(ctx, outgoing{data: m.Append(make([]byte, 0, 128+len(m.Body))), message: m.ID})
}

func (s *Stream) enqueue(ctx context.Context, o outgoing) error {
	if len(o.data) == 0 {
		return nil
	}
	if len(o.data) > s.opts.MaxStanza {
		return ErrTooLong
	}
	select {
	case <-s.done:
		return ErrEnded
	case <-s.closer:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	for {
		room, err := s.offer(o)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-s.done:
			return ErrEnded
		case <-s.closer:
			return ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Replace sends a stanza that makes the ones given to Replace before meaningless (the own presence); of those that have
// not been written only the last one is. It never waits. It is written before what is queued later.
func (s *Stream) Replace(stanza []byte) error {
	if len(stanza) > s.opts.MaxStanza {
		return ErrTooLong
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.out.latest = stanza
	s.startWriter()
	return nil
}

// Fail ends the stream at once, for a reason of its owner's.
func (s *Stream) Fail(f *Failure) { s.end(f) }

// Close ends the stream in order: what is queued is still written, then the closing tag; what the service sends until
// its own closing tag, or CloseTimeout, is still handled. It does not wait for the end.
func (s *Stream) Close() {
	s.once.Do(func() {
		close(s.closer)
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		s.out.closing = true
		s.startWriter()
	})
}

// Run reads until the stream ends, and returns why, never nil. All goroutines of the stream have ended then. Its frame lies
// beneath the wait for the next stanza and is kept small.
func (s *Stream) Run(ctx context.Context, h Handler) *Failure {
	handling, release := s.handling(ctx)
	defer release()
	s.end(readFailure(s.read(handling, h)))
	s.written.Wait()
	s.table.fail()
	return s.fail.get()
}

// handling is the context of handlers. What arrives while the stream is being closed counts as delivered at the service, so
// it is still handled: the context ends only after the time for closing.
func (s *Stream) handling(ctx context.Context) (handling context.Context, release func()) {
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		s.Close()
		late := time.AfterFunc(2*s.opts.CloseTimeout, cancel)
		context.AfterFunc(handling, func() { late.Stop() })
	})
	return handling, func() {
		stop()
		cancel()
	}
}

// end records why the stream ended and takes the connection down. For any goroutine, any number of times.
func (s *Stream) end(f *Failure) {
	conn := s.raw // without TLS's goodbye, which would wait for a peer that does not read
	select {
	case <-s.closer:
		// Whatever ends a stream that is being closed, it ended because of that.
		f = &Failure{Cause: Closed, Err: f}
		conn = s.conn
	default:
	}
	s.fail.set(f)
	s.table.endOnce.Do(func() { close(s.done) })
	s.out.end()
	_ = conn.Close() // the failure that matters is recorded
}

// self says whether an IQ's sender may speak for the own account: none, the own JID, or the domain
// (messenger-protocol.md 5.2).
func (s *Stream) self(from string) bool {
	if from == "" {
		return true
	}
	local, resource, found := strings.Cut(from, "/")
	local = strings.ToLower(local)
	switch {
	case local == s.opts.Domain:
		return !found
	case local == s.bare:
		return !found || resource == s.jid.Resourcepart()
	}
	return false
}

// pingPayload is XEP-0199 (messenger-protocol.md 13.9).
const pingPayload = `<ping xmlns="` + nsPing + `"/>`

// Barrier waits until something that was asked after all that was queued before is answered, no matter how.
func (s *Stream) Barrier(ctx context.Context) error {
	mark := new(atomic.Pointer[string])
	_, err := s.ask(ctx, "get", s.opts.Domain, []byte(pingPayload), mark)
	if err == nil {
		if id := mark.Load(); id != nil {
			s.suspect.CompareAndSwap(id, nil)
		}
	}
	return err
}

// within gives a context with the default deadline unless it has one.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
