// Package xmppside is one person's XMPP account, kept signed in: RFC 6120 and RFC 6121 as far as
// messenger-protocol.md sections 2, 3, 5, 6.1, 8, 11 and 12 need them. It finds the service, trusts it or not, signs in,
// stays signed in, and turns what the service sends into typed events.
//
// Who owns what:
//
//   - a Profile says what one service is (names, addresses, limits, how one signs in, how people are found). Everything that is true of
//     Microsoft's Messenger only is made by the package messenger;
//   - a Service is shared by all accounts: name lookup, trust, the limit on connection attempts;
//   - an Account owns the life of one person's session: its state, its back-off, its presence. Exactly one goroutine,
//     that of Run, changes them;
//   - a Session is one signed-in stream, usable until it is Done;
//   - the package session speaks one stream and knows nothing of accounts.
//
// Events are handed to a Handler by the one goroutine that reads the stream, in the order of the stream. What the Handler
// has not accepted does not count as read: the session ends, and the service keeps or the archive shows the message.
//
// Not here: storage, Matrix, the meaning of an event for a room, the archive and the other extensions (each has a
// package of its own below this one), XEP-0198, groups chats, and sending presence probes, which the service does not
// support.
package xmppside
