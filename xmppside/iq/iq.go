package iq

import "context"

// The two types of request (RFC 6120 8.2.3).
const (
	Get = "get"
	Set = "set"
)

// Request is one IQ request.
type Request struct {
	// Type is Get or Set.
	Type string
	// To is the addressee as it is written on the wire, unescaped. Empty means the user's own account: the attribute is
	// left out, and the answer may then come without "from", from the own bare or full JID, or from the own domain
	// (messenger-protocol.md 5.2).
	To string
	// Payload is exactly one complete XML element that declares its own namespace, already escaped.
	Payload []byte
}

// Requester sends IQ requests and waits for their answers. The session of an account implements it.
//
// Request returns once the answer is here. It is read into the struct that into points to, by the rules of Decode; a nil
// into means that only the fact of an answer matters. The errors:
//
//   - a stanza.Error value (mellium.im/xmpp/stanza), reachable with errors.As or with IsError and ConditionOf of this
//     package, when the answer was of type "error";
//   - ErrUnreadable when the answer was of type "result" but does not fit into;
//   - anything else (a context error, the end of the session) when there was no answer. Requests without a deadline of
//     their own get one from the session.
//
// A Requester may be used from several goroutines.
type Requester interface {
	Request(ctx context.Context, req Request, into any) error
}
