// Package prosody has the bridge talk to a Messenger service that shares no code and no author with it:
// Prosody, an XMPP server, with mod_messenger.lua (the mechanism, the redirect, the address lookup, the archive;
// protocol sections 2.4, 3, 5.1, 7, 10). Whatever the stand-in messengerd and the bridge may misread in the same
// way, such as TLS, stream restarts, rosters, subscriptions and offline messages, is Prosody's reading here.
//
// A [Server] owns a folder (configuration, certificates of an authority of its own, Prosody's data) and one
// process that can be stopped and started again; accounts and contacts are in its configuration. A [Contact] is
// the other person's program: a small XMPP client of RFC 6120 and 6121 written for these tests alone.
//
// Not covered: OAuth's pages (tokens are handed out by the configuration) and refused changes of the roster, which
// Prosody carries out.
package prosody
