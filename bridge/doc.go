// Package bridge is the bridgev2 network connector: it says what an event of the Messenger service means in Matrix, and back.
//
// The work is divided so that every state has one owner:
//
//   - Main is the program around the framework; it claims the database before anything touches it (claim.go).
//   - Connector is the network as a whole: configuration, shared service, the durable inbox of Matrix events.
//   - teller tells the senders of messages what became of them, across restarts.
//   - presencePacer brings presences to the homeserver, of all accounts together and no faster than it can take them.
//   - readiness and metrics say how the bridge fares.
//
// Of each account:
//
//   - Client is one signed-in account. It owns the account's connection (package xmppside) and what hangs on it.
//   - outbox sends what Matrix users wrote, one account at a time and in order, and settles each message (design.md
//     section 4).
//   - inbound stores what the service sent before anything slow happens, and hands it to the rooms, one chat at a time
//     and in order.
//   - history reads the archive where something may have been missed, and puts it where it belongs.
//   - people is whom the account knows: roster, contact requests and their worker, names and pictures, the making of
//     rooms.
//   - presence and typing are the passing things: what contacts show, and what they are to see of the user.
//
// What must survive a crash travels through package database; what may be lost (typing, presence) does not.
package bridge
