// Package messenger is the profile of the Messenger service: all that is true of it and not of any XMPP service
// (messenger-protocol.md 2.1, 2.2, 3, 5.5, 7; design.md section 5). That is its names and addresses, the certificates of
// its gateway, its way of signing in (X-MESSENGER-OAUTH2), how people are found, and how long a stanza may be.
//
// Nothing here has a state; what is asked of the service goes through an iq.Requester.
package messenger
