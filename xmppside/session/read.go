package session

import (
	"context"
	"encoding/xml"
	"errors"
	"time"

	"matrix-messenger/xmppside/xmltext"
)

const nsPing = "urn:xmpp:ping"

// unavailable is the answer to what nobody handles.
const unavailable = "service-unavailable"

// read is the reader: it hands on stanza after stanza until something ends the stream. Its frame lies beneath the wait
// for the next one and is kept small.
func (s *Stream) read(ctx context.Context, h Handler) error {
	for {
		if err := s.conn.Wait(); err != nil {
			return err
		}
		alone := s.conn.SinceReceived() > seldom
		if err := s.readOne(ctx, h); err != nil {
			return err
		}
		if alone {
			s.in.rest()
		}
		s.conn.calm = alone
	}
}

// seldom is how long after the one before it a stanza has come that is not part of a conversation.
const seldom = 2 * time.Second

// readOne reads one stanza and hands it on.
func (s *Stream) readOne(ctx context.Context, h Handler) error {
	start, err := s.in.next()
	if err != nil {
		return err
	}
	switch {
	case isStreamError(start.Name):
		return s.in.streamError(start)
	case start.Name.Space != nsClient:
		return s.in.skip() // unknown elements are ignored (messenger-protocol.md 2.3)
	case start.Name.Local == "iq":
		return s.readIQ(ctx, h, start)
	case start.Name.Local == "message", start.Name.Local == "presence":
		return s.handle(func(stanza *Stanza) error { return h.HandleStanza(ctx, stanza) }, start)
	default:
		return s.in.skip()
	}
}

// handle gives the owner one stanza and ends it, whatever the owner has read of it.
func (s *Stream) handle(give func(*Stanza) error, start xml.StartElement) error {
	stanza := &Stanza{Start: start, r: s.in}
	if err := give(stanza); err != nil {
		return failure(Refused, err)
	}
	if !stanza.done {
		return s.in.skip()
	}
	s.in.end()
	return nil
}

func (s *Stream) readIQ(ctx context.Context, h Handler, start xml.StartElement) error {
	switch attr(start, "type") {
	case "result", "error":
		return s.readReply(start)
	case "get", "set":
		return s.readAsked(ctx, h, start)
	default:
		return s.in.skip()
	}
}

// readReply finds the request that an answer belongs to. The answer is read to its end first, so that whatever is wrong
// with its content cannot end the stream.
func (s *Stream) readReply(start xml.StartElement) error {
	if err := s.in.dec.Skip(); err != nil {
		return readFailure(err)
	}
	r := s.table.take(attr(start, "id"), s.answerFits(attr(start, "from")))
	if r == nil {
		s.in.end()
		return nil // nobody asked, or somebody else answered
	}
	err := r.answered(s.in.conn.Raw())
	s.in.end()
	if err != nil {
		return failure(Refused, err)
	}
	return nil
}

// readAsked handles a request of the service or of a peer, and answers it in any case (RFC 6120, 8.2.3).
func (s *Stream) readAsked(ctx context.Context, h Handler, start xml.StartElement) error {
	from, id := attr(start, "from"), attr(start, "id")
	token, err := s.firstChild()
	if err != nil {
		return err
	}
	condition := unavailable
	if token != nil {
		stanza := &Stanza{Start: *token, r: s.in}
		trusted := s.self(from)
		if attr(start, "type") == "get" {
			if token.Name == (xml.Name{Space: nsPing, Local: "ping"}) {
				condition = ""
			}
		} else if condition, err = h.HandleSet(ctx, from, trusted, stanza); err != nil {
			return failure(Refused, err)
		}
		if !stanza.done {
			if err := s.in.dec.Skip(); err != nil {
				return readFailure(err)
			}
		}
		if err := s.in.dec.Skip(); err != nil { // to the end of the <iq/>
			return readFailure(err)
		}
	}
	s.in.end()
	return s.reply(ctx, from, id, condition)
}

// firstChild gives the first child's start tag, nil when the element ends without one.
func (s *Stream) firstChild() (*xml.StartElement, error) {
	for {
		token, err := s.in.dec.Token()
		if err != nil {
			return nil, readFailure(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			return &token, nil
		case xml.EndElement:
			return nil, nil
		}
	}
}

// reply answers a request. The reader waits for a place in the queue if it must: the writer does not depend on it, and
// has a deadline.
func (s *Stream) reply(ctx context.Context, from, id, condition string) error {
	b := make([]byte, 0, 192)
	if condition == "" {
		b = append(b, `<iq type="result"`...)
	} else {
		b = append(b, `<iq type="error"`...)
	}
	b = xmltext.AppendAttr(b, "id", id)
	if from != "" {
		b = xmltext.AppendAttr(b, "to", from)
	}
	if condition == "" {
		b = append(b, "/>"...)
	} else {
		b = append(b, `><error type="cancel"><`...)
		b = append(b, condition...)
		b = append(b, ` xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>`...)
	}
	if err := s.enqueue(context.WithoutCancel(ctx), outgoing{data: b}); err != nil && !errors.Is(err, ErrTooLong) && !errors.Is(err, ErrEnded) {
		return err
	}
	return nil // a reply that is too long belongs to a request with an id that is: nobody waits for it
}
