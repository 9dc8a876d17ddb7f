// Package iq is the contract between the packages that ask the service something (roster, vcard, archive, jidlookup)
// and the session that carries the question: RFC 6120 8.2.3 and 8.3, messenger-protocol.md 5.2, 12.1, 13.10.
//
// The asking side builds a payload and names the struct that the answer is read into; the session gives the request its
// id, checks the sender of the answer and applies the deadline. Nothing here keeps state: the table of open requests
// belongs to the session.
//
// Not here: answering requests that the service or a peer sends (the session does that), and the stream itself.
package iq
