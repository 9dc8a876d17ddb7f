// Package session speaks one XMPP stream as a client: RFC 6120 sections 4 to 8 (streams, STARTTLS, SASL, bind, IQ),
// RFC 3921 section 3 (the old session request), as messenger-protocol.md sections 2.2 to 2.4, 3, 5 and 12.1 use them.
//
// Connect takes a fresh network connection through every step, in a fixed order, each with a deadline, to a signed-in
// Stream. From then on at most two goroutines serve it:
//
//   - Stream.Run, called by the owner, is the reader. It hands each stanza to the owner's Handler, in order, and answers
//     requests that nobody handles. It owns the XML decoder.
//   - the writer, which exists while there is something to write, owns the writing side: the queue, the closing tag.
//     Whoever queues something starts it; nobody else writes to the connection. It ends with the stream, and Run waits
//     for it.
//
// A third piece of state, the table of open requests, has its own lock.
//
// What ends a stream is always a *Failure, whose Cause says what happened; what to do about it is decided elsewhere.
// Nothing here connects, reconnects, follows a redirect, or knows what the stanzas mean.
//
// Not here: XEP-0198, direct TLS, compression, answering other requests than pings.
package session
