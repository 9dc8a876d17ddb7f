package messengerd

import (
	"log/slog"
	"net"
	"time"
)

// Option changes a [Server] beside its configuration.
type Option func(*Server)

// WithLogger sets where the server logs. Tokens, passwords and texts of
// messages are never logged. Without it nothing is.
func WithLogger(log *slog.Logger) Option { return func(s *Server) { s.log = log } }

// WithClock sets the clock for time stamps, idle times and the life of tokens.
// Deadlines of connections always follow the real time. After moving the clock
// call [Server.Sweep].
func WithClock(now func() time.Time) Option { return func(s *Server) { s.now = now } }

// WithListener makes the server accept XMPP connections from l instead of
// listening on the configured address. The server closes it.
func WithListener(l net.Listener) Option { return func(s *Server) { s.given = l } }

// TraceEvent is one top-level element on a stream.
type TraceEvent struct {
	Session uint64 // number of the connection, from 1 in order of arrival
	Account string // bare JID, empty before sign-in
	FromC   bool   // sent by the client
	XML     string // a SASL credential is replaced by [token]
}

// WithTrace calls f for every element received from or queued for a client. f
// is called with locks held and must neither block nor call the server.
func WithTrace(f func(TraceEvent)) Option { return func(s *Server) { s.trace = f } }

// NegotiationTimeout is how long a connection may take from accept to bind.
const NegotiationTimeout = 30 * time.Second

// WithNegotiationTimeout changes [NegotiationTimeout].
func WithNegotiationTimeout(d time.Duration) Option { return func(s *Server) { s.negotiation = d } }
