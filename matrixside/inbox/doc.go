// Package inbox makes events from the homeserver durable.
//
// bridgev2 answers a transaction with 200 and keeps its events in memory, so that a crash, or an ordinary stop, loses what was
// not handled. Here a transaction is answered only after its events are committed to the table of
// [database.MatrixInboxStore]; they are then handled by one worker per room, in order, rooms side by side, and marked when the
// library's handlers have returned. What is left at the next start is handled then. Events are told apart by their IDs: a
// transaction that comes again, under whatever transaction ID, adds nothing.
//
// Rules that follow for the bridge:
//
//   - A handler may run again for an event that it has handled, when the process dies in between. The outbox is idempotent by
//     event ID, and messages that bridgev2 has stored are not handled again.
//   - Handlers have to be synchronous: portal_event_buffer has to be 0. This package sees to the rest (no timeouts in the event
//     processor, no asynchronous transactions).
//   - A handler that panics is caught by the library and counts as done; one that ends the process is tried [Config.MaxAttempts]
//     times, then the event is set aside and [Config.OnPoisoned] told, so that its room goes on.
//
// Exceptions, that are acknowledged before they are done: bot commands, which bridgev2 runs on their own; typing, receipts and
// presence, which are worth nothing later. To-device events (keys) are handled before the answer, so that the homeserver repeats
// them until they are.
//
// Encrypted events are decrypted here, before bridgev2 sees them: it would wait for a key that has not come yet in the
// background, and tell the sender in the background too, or not at all if the process ends. The worker of the room waits
// instead, for [Config.KeyWait] and [Config.AskedKeyWait], without keeping other rooms from being handled; so the event is not
// marked before it is known what became of it, and later messages do not overtake it. What cannot be read is handed to
// [Config.OnUnreadable] and never to bridgev2, so that only one of the two tells of it.
//
// Back-pressure: with [Config.MaxPending] events pending, or when the database does not take them, the answer is 503 and the
// homeserver tries again later. Transactions by websocket are not supported.
//
// Implemented: application service API v1.7, PUT /_matrix/app/v1/transactions, with MSC2409 and MSC3202 names for the parts
// beside events. State: the table belongs to this package, which is its only writer; handled rows are pruned by the bridge.
package inbox
