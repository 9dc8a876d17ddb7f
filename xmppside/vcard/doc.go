// Package vcard reads vcard-temp: XEP-0054, messenger-protocol.md 9 and 13.7. It gives the fields a bridge can use, the
// photo with its true type, and the order in which a contact's names count.
//
// Never written: the service refuses updates, and one with a photo ended the stream (5.5). Not read: the other fields,
// sounds, and photos that are vector graphics, as those can hold programs.
//
// A Fetcher gets photos that a vCard only gives the address of. It treats the address as what it is, a request to fetch
// anything from anywhere chosen by a stranger.
package vcard
