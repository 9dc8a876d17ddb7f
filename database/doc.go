// Package database holds the tables of the bridge that bridgev2 does not have, for SQLite and PostgreSQL.
//
// It is a child of bridgev2's database: the same connections, its own version table (messenger_version), every table named
// messenger_…. [Database.Upgrade] works before bridgev2 has created its own tables, because the Matrix inbox needs its table
// as soon as the appservice listener is up.
//
// # What is where
//
// Each table has a store, a field of [Database]:
//
//   - Credential: what a login signs in with, sealed (see [Sealer]);
//   - MatrixInbox: events the homeserver has been told we have, until they are handled, and their IDs for some days after;
//   - Outbox: what is to be written to the service, with its state (design.md section 4);
//   - MessengerInbox: what was read from the service, until the homeserver has it;
//   - ChatLog: the newest messages of each chat as keyed hashes, to match the archive against (messenger-protocol.md section 10);
//   - ArchiveRead: when the archive of a chat was last read, and on which stream;
//   - Contact, Presence, Request, Held, Setting: the people of a login, and how the login itself appears to them.
//
// # Rules
//
// Logins, contacts and chats are bare JIDs in lower case, room, event and user IDs are Matrix IDs; all are plain strings here,
// because this package imports neither world. Times are stored as Unix milliseconds in UTC; the zero [time.Time] is stored as 0.
//
// Methods take part in a transaction that dbutil put into the context. Without one, writes go through one group commit per
// Database (see [Committer]): callers that write at the same time share a commit, and a write has happened when the method
// returns nil. [Database.Write] makes several writes one.
//
// SQLite's checkpoints are made behind the commits, see [Checkpointed]. SQLite keeps what was committed through the death of the process. Against power loss the database type
// sqlite3-fk-wal-fullsync is needed; with group commit it stays within the throughput budget of design.md section 6.
//
// The owner of a Database calls [Database.Close] before the underlying connections are closed.
package database
