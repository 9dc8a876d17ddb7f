package ping

import (
	"context"
	"io"
	"testing"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/iq/iqtest"
)

func TestAnyAnswerIsAlive(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *iqtest.Requester
		want error
	}{
		{"a result", iqtest.Replies(iqtest.Result("")), nil},
		{"a result with something in it", iqtest.Replies(iqtest.Result(`<ping xmlns="urn:xmpp:ping"/>`)), nil},
		{"an error, as the service answers", iqtest.Replies(iqtest.Error("cancel", "service-unavailable")), nil},
		{"no answer", iqtest.Fails(io.EOF), io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Send(context.Background(), c.r, "messenger.live.com"); err != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
			if sent := c.r.Sent()[0]; sent.Type != iq.Get || sent.To != "messenger.live.com" || string(sent.Payload) != `<ping xmlns="urn:xmpp:ping"/>` {
				t.Errorf("%+v", sent)
			}
		})
	}
}
