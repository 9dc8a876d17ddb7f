// Package qxmpp checks the stand-in service with a client that this project has not written: QXmpp, a C++
// library that has had a X-MESSENGER-OAUTH2 of its own since Microsoft's service was alive.
//
// client/client.cpp is a small program on that library: STARTTLS with a verified certificate, sign-in with a
// token, bind, session, roster, vCards, the archive of XEP-0136, presence, messages (sections 2, 3, 5, 6.1,
// 8 to 11 of the protocol). Build compiles it with Debian's libqxmpp-dev, Start runs it, and a Client waits for the
// lines that it prints; nothing else of QXmpp is used.
//
// Not covered, as QXmpp cannot: see-other-host, the lookup of addresses, tokens that are not base64.
package qxmpp
