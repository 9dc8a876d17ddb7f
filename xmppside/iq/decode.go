package iq

import (
	"encoding/xml"
	"errors"
	"fmt"

	"mellium.im/xmpp/stanza"
)

// ErrUnreadable says that a result came whose payload does not fit the request.
var ErrUnreadable = errors.New("the answer of the service cannot be read")

// Decode reads the rest of an <iq/> element of type "result" or "error" whose start tag has been read from d, up to and
// including its end tag.
//
// A result's first child element is read into the struct that into points to; further children are skipped. A result
// without a child leaves into as it is and is no error, because several services write "nothing" so. A child of another
// name than into expects gives ErrUnreadable with the stanza read to its end, so that the stream can go on. A nil into
// skips the children.
//
// Of an error the stanza.Error is returned. Errors of the XML itself (the stream is broken) come back as they are: they
// are neither a stanza.Error nor ErrUnreadable.
func Decode(d *xml.Decoder, start xml.StartElement, into any) error {
	failed := attr(start, "type") == "error"
	var answer error
	if failed {
		// Until an <error/> child says more (messenger-protocol.md 12.1).
		answer = stanza.Error{Condition: stanza.UndefinedCondition}
	}
	seen := false
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return answer
		case xml.StartElement:
			switch {
			case failed && token.Name.Local == "error" && token.Name.Space == start.Name.Space:
				var payload ErrorPayload
				if err := d.DecodeElement(&payload, &token); err != nil {
					return err
				}
				answer = payload.Err()
			case failed || into == nil || seen:
				if err := d.Skip(); err != nil {
					return err
				}
			default:
				seen = true
				if answer, err = decodeChild(d, token, into); err != nil {
					return err
				}
			}
		}
	}
}

// decodeChild reads one child into a struct. A child that does not fit is reported in unfit; err is for a broken stream.
//
// encoding/xml leaves an element that it refuses unread, or half read. So the child is read through a second decoder that
// counts tags, and what is left of it is read away afterwards.
func decodeChild(d *xml.Decoder, start xml.StartElement, into any) (unfit, err error) {
	counted := &depthReader{d: d, start: &start}
	inner := xml.NewTokenDecoder(counted)
	if err := inner.Decode(into); err != nil {
		if counted.err != nil {
			return nil, counted.err
		}
		unfit = fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	for counted.depth > 0 || counted.start != nil {
		if _, err := counted.Token(); err != nil {
			return nil, err
		}
	}
	return unfit, nil
}

// depthReader hands out the tokens of one element and knows how deep in it the reading stands.
type depthReader struct {
	d     *xml.Decoder
	start *xml.StartElement // still to be handed out
	depth int
	err   error // of the stream itself
}

// Token implements xml.TokenReader.
func (r *depthReader) Token() (xml.Token, error) {
	if r.start != nil {
		token := *r.start
		r.start = nil
		r.depth = 1
		return token, nil
	}
	token, err := r.d.Token()
	if err != nil {
		r.err = err
		return nil, err
	}
	switch token.(type) {
	case xml.StartElement:
		r.depth++
	case xml.EndElement:
		r.depth--
	}
	return token, nil
}

func attr(start xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}
