package session

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/xmltext"
)

// maxRequests is how many requests may be open at once.
const maxRequests = 256

var errRequests = errors.New("too many requests wait for an answer")

// table holds the open requests of a stream. The ids start with random letters, so that nobody can answer in the
// service's place by guessing; the sender of an answer is checked besides.
type table struct {
	endOnce sync.Once

	mu     sync.Mutex
	prefix string
	last   uint64
	open   map[string]*request
	ended  bool
}

// request is one open request. Exactly one of the reader and the asker takes it out of the table.
type request struct {
	to string
	// answered is called by the reader with the raw answer, which is valid during the call only; an error ends the
	// stream.
	answered func(raw []byte) error
	ended    func()
}

func (t *table) add(r *request) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return "", ErrEnded
	case len(t.open) >= maxRequests:
		return "", errRequests
	}
	if t.prefix == "" {
		t.prefix = rand.Text()[:10] + "-"
		t.open = make(map[string]*request)
	}
	t.last++
	id := t.prefix + strconv.FormatUint(t.last, 36)
	t.open[id] = r
	return id, nil
}

// take removes the request with this id if the sender fits.
func (t *table) take(id string, fits func(to string) bool) *request {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.open[id]
	if r == nil || !fits(r.to) {
		return nil
	}
	delete(t.open, id)
	return r
}

func (t *table) drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

// fail ends all requests and lets no more in.
func (t *table) fail() {
	t.mu.Lock()
	open := t.open
	t.open, t.ended = nil, true
	t.mu.Unlock()
	for _, r := range open {
		r.ended()
	}
}

// appendIQ writes a request.
func appendIQ(typ, id, to string, payload []byte) []byte {
	b := make([]byte, 0, 64+len(to)+len(payload))
	b = append(b, "<iq"...)
	b = xmltext.AppendAttr(b, "type", typ)
	b = xmltext.AppendAttr(b, "id", id)
	if to != "" {
		b = xmltext.AppendAttr(b, "to", to)
	}
	b = append(b, '>')
	b = append(b, payload...)
	return append(b, "</iq>"...)
}

// Request implements iq.Requester.
func (s *Stream) Request(ctx context.Context, req iq.Request, into any) error {
	raw, err := s.ask(ctx, req.Type, req.To, req.Payload, nil)
	if err != nil {
		return err
	}
	return s.readAnswer(raw, into)
}

// readAnswer decodes a raw answer, for any goroutine.
func (s *Stream) readAnswer(raw []byte, into any) error {
	return decodeRaw(s.in.text, raw, func(dec *xml.Decoder, start xml.StartElement) error {
		return iq.Decode(dec, start, into)
	})
}

// ask sends a request and waits for its raw answer.
func (s *Stream) ask(ctx context.Context, typ, to string, payload []byte, mark *atomic.Pointer[string]) ([]byte, error) {
	ctx, cancel := within(ctx, s.opts.RequestTimeout)
	defer cancel()
	answer := make(chan []byte, 1)
	id, err := s.table.add(&request{
		to: to,
		answered: func(raw []byte) error {
			answer <- append([]byte(nil), raw...)
			return nil
		},
		ended: func() { close(answer) },
	})
	if err != nil {
		return nil, err
	}
	if err := s.enqueue(ctx, outgoing{data: appendIQ(typ, id, to, payload), mark: mark}); err != nil {
		s.table.drop(id)
		return nil, err
	}
	select {
	case raw, ok := <-answer:
		if !ok {
			return nil, ErrEnded
		}
		return raw, nil
	case <-ctx.Done():
		s.table.drop(id)
		return nil, ctx.Err()
	}
}

// RequestInOrder queues a request whose answer the reader handles itself, between the stanzas before and after it: the
// answer is read into the struct, and done gets what Request would return. An error of done ends the stream. When the
// stream ends first, done is not called.
func (s *Stream) RequestInOrder(ctx context.Context, req iq.Request, into any, done func(error) error) error {
	id, err := s.table.add(&request{
		to:       req.To,
		answered: func(raw []byte) error { return done(s.readAnswer(raw, into)) },
		ended:    func() {},
	})
	if err != nil {
		return err
	}
	if err := s.enqueue(ctx, outgoing{data: appendIQ(req.Type, id, req.To, req.Payload)}); err != nil {
		s.table.drop(id)
		return err
	}
	return nil
}

// answerFits says whether an answer's sender may answer a request to this addressee: the addressee, or who may speak for
// the account (messenger-protocol.md 5.2, 7).
func (s *Stream) answerFits(from string) func(to string) bool {
	return func(to string) bool {
		return s.self(from) || to != "" && strings.EqualFold(from, to)
	}
}
