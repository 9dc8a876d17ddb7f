package xmppside

import (
	"context"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/chatstate"
	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/presence"
	"matrix-messenger/xmppside/session"
)

// Session is one signed-in stream of an account. Its methods may be called from any goroutine, also after its end.
type Session struct {
	id     uint64
	stream *session.Stream
}

var _ iq.Requester = (*Session)(nil)

// ID tells sessions of this process apart; it is never 0.
func (s *Session) ID() uint64 { return s.id }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.stream.Done() }

// JID is the full JID that the service has given.
func (s *Session) JID() jid.JID { return s.stream.JID() }

// Request implements iq.Requester. Without a deadline of its own it has 30 s.
func (s *Session) Request(ctx context.Context, req iq.Request, into any) error {
	return s.stream.Request(ctx, req, into)
}

// Barrier waits until the service has handled everything that was queued before: it asks a question, and any answer
// will do, as a server handles a stream in order (RFC 6120, 10.1).
func (s *Session) Barrier(ctx context.Context) error { return s.stream.Barrier(ctx) }

// Nudge makes the session prove that it is alive, by a ping right now; without an answer in time it ends.
func (s *Session) Nudge() { s.stream.Nudge() }

// SendMessage queues a chat message with the given id, which its error or its absence is known by later. An error means
// that certainly nothing of it was or will be written; so with the other stanzas.
func (s *Session) SendMessage(ctx context.Context, to, id, body string) error {
	return s.stream.SendMessage(ctx, session.Message{To: to, ID: id, Body: body})
}

// SendChatState queues a message that holds a chat state only.
func (s *Session) SendChatState(ctx context.Context, to string, state chatstate.State) error {
	return s.stream.Send(ctx, chatstate.AppendMessage(nil, to, state))
}

// SendSubscription queues one of the four subscription stanzas (RFC 6121, 3).
func (s *Session) SendSubscription(ctx context.Context, typ presence.Type, to, nick, status string) error {
	return s.stream.Send(ctx, presence.AppendSubscription(nil, typ, to, nick, status))
}
