// Package presence is who is there: RFC 6121 3 and 4, messenger-protocol.md 6.3, 8 and 13.5. It reads presence stanzas,
// writes the user's own and the four subscription stanzas, and combines the resources of a contact into one state.
//
// An Aggregate belongs to whoever keeps the contact; nothing here is locked or timed. Presence probes are never written,
// as the service does not support them; priorities are read by nobody.
package presence
