// Package bridge is the bridgev2 network connector: it says what an event of the Messenger service means in Matrix, and back.
//
// The work is divided so that every state has one owner:
//
//   - Connector is the network as a whole: configuration, shared service, the durable inbox of Matrix events.
//   - Client is one signed-in account. It owns the account's connection (package xmppside) and what hangs on it.
//   - outbox sends what Matrix users wrote, one account at a time and in order, and settles each message (design.md section 4).
//   - inbound stores what the service sent before anything slow happens, and hands it to the rooms, one chat at a time and in order.
//
// What must survive a crash travels through package database; what may be lost (typing, presence) does not.
package bridge
