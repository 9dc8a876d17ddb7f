// Package ping is XEP-0199: a question that any answer satisfies. The Messenger service does not list it and answers
// with an error, which is as good as a result (messenger-protocol.md 5.4, 13.9).
//
// Not here: when to ping, and what a missing answer means; the session's keepalive decides.
package ping

import (
	"context"

	"matrix-messenger/xmppside/iq"
)

// NS is the namespace of <ping/>.
const NS = "urn:xmpp:ping"

// Send asks the given address, the service's domain as a rule, and returns nil once there is any answer. An error means
// that there was none.
func Send(ctx context.Context, r iq.Requester, to string) error {
	err := r.Request(ctx, iq.Request{Type: iq.Get, To: to, Payload: []byte(`<ping xmlns="` + NS + `"/>`)}, nil)
	if iq.Answered(err) {
		return nil
	}
	return err
}
