// Package delay reads when a message was really sent: XEP-0203 (urn:xmpp:delay), the older XEP-0091 (jabber:x:delay),
// and the time format of XEP-0082, read leniently (messenger-protocol.md 11, 13.6).
//
// The stamp is what the other side claims. Whether a time is believable next to the local clock is for the caller to
// judge; Delay.At only keeps messages out of the future.
//
// Not here: writing delays; the client side never sends one.
package delay
