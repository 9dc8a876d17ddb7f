// Package stablesend makes sends to the homeserver repeatable.
//
// bridgev2 makes its transaction IDs from the clock, so that a message which is sent again after a crash appears twice. Here a
// send whose context carries a key (see [WithKey]) gets transaction IDs derived from it: the same key, sender, room and kind of
// send give the same ID, whether the repeat comes from a retry, a second try or another run of the program.
//
// Homeservers forget transaction IDs (Synapse within the hour). So each such event also carries its key, hashed, in the
// property [KeyProperty] of its content, in the clear part of encrypted events too; after a longer break [Find] looks for it
// among the newest events of the room before the message is sent again.
//
// It works as an [http.RoundTripper] around the appservice's HTTP client and touches only PUT …/rooms/{room}/send/… and
// …/redact/… of contexts with a key. Everything else passes unchanged: state events, media, batch sending, commands, framework
// backfill, and the ts parameter of time-stamped events. A double puppet on another homeserver has an HTTP client of its own,
// which this does not reach: its messages are not protected against appearing twice.
//
// A context from WithKey belongs to one attempt: its sends are counted, and the second send of the same kind gets the second
// ID. An attempt that is repeated must therefore make its sends in the same order.
package stablesend
