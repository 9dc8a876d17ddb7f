// Package messengerd is a stand-in for the Messenger XMPP gateway that closed
// in 2013: a small but complete service for development, tests and the demo.
//
// It implements the server side ("S:") of messenger-protocol.md: STARTTLS with
// a certificate authority of its own, X-MESSENGER-OAUTH2, bind and the legacy
// session (sections 2, 3, 5), see-other-host (2.4), the add-only roster and the
// subscription tables of RFC 6121 appendix A (6), address lookup (7), presence
// (8), vCards (9), the ten-message archive of XEP-0136 (10), chat messages and
// offline storage (11), and every switch of section 15. In the standards'
// numbers: RFC 6120, RFC 6121, RFC 3921 (session only), XEP-0030, 0054, 0059,
// 0085, 0136, 0172, 0199, 0203.
//
// It does not implement federation, groups, any message type but chat, presence
// probes, HTTP binding or TLS from the first byte: the gateway had none of them.
// A get or set addressed to another user's client is answered
// service-unavailable, and of a message only body, chat state and nickname are
// passed on.
//
// # Who owns which state
//
// A [Server] owns the listeners, the accounts and the sessions. An [Account]
// owns its roster, archive and stored messages behind one mutex; no two
// accounts are ever locked together. A session owns its connection: one
// goroutine reads and acts, and whenever something waits to be sent a second
// one writes, so that an idle session costs one goroutine. Whoever holds an
// account's mutex may put stanzas into its sessions' queues, never the other
// way round. The queues are bounded; a client that does not read loses its
// session, not its neighbours.
//
// Access tokens live in the package tokens, the sign-in pages in oauthserver.
package messengerd
