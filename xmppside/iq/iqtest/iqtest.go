// Package iqtest has a scripted iq.Requester for the tests of the packages that ask the service something.
package iqtest

import (
	"context"
	"encoding/xml"
	"strings"
	"sync"

	"matrix-messenger/xmppside/iq"
)

// Requester answers every request with the XML that Answer returns for it, a whole <iq/> element, read by iq.Decode as
// a session reads it. When Answer returns an error that error is the request's, as when the session ends.
type Requester struct {
	Answer func(iq.Request) (string, error)

	mu   sync.Mutex
	sent []iq.Request
}

// Request implements iq.Requester.
func (r *Requester) Request(ctx context.Context, req iq.Request, into any) error {
	r.mu.Lock()
	r.sent = append(r.sent, req)
	r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	answer, err := r.Answer(req)
	if err != nil {
		return err
	}
	d := xml.NewDecoder(strings.NewReader(answer))
	d.DefaultSpace = "jabber:client"
	token, err := d.Token()
	if err != nil {
		return err
	}
	return iq.Decode(d, token.(xml.StartElement), into)
}

// Sent returns the requests so far, in order.
func (r *Requester) Sent() []iq.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]iq.Request(nil), r.sent...)
}

// Replies makes a Requester that gives the answers in turn, the last one for ever after.
func Replies(answers ...string) *Requester {
	next := 0
	return &Requester{Answer: func(iq.Request) (string, error) {
		answer := answers[next]
		if next < len(answers)-1 {
			next++
		}
		return answer, nil
	}}
}

// Fails makes a Requester all of whose requests end with err.
func Fails(err error) *Requester {
	return &Requester{Answer: func(iq.Request) (string, error) { return "", err }}
}

// Result is a result with the given payload, which may be empty.
func Result(payload string) string {
	return `<iq type="result" id="1" from="messenger.live.com">` + payload + `</iq>`
}

// Error is an error answer with the given type and condition.
func Error(typ, condition string) string {
	return `<iq type="error" id="1"><error type="` + typ + `"><` + condition +
		` xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>`
}
