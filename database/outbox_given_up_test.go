package database

import "testing"

func TestOnlyWhatIsQueuedInOneChatIsGivenUp(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		for _, m := range [][3]string{{"me", "john", "one"}, {"me", "john", "two"}, {"me", "mary", "three"}, {"you", "john", "four"}} {
			_, err := db.Outbox.Enqueue(ctx, []OutboxMessage{{LoginID: m[0], ChatID: m[1], EventID: m[2], StanzaID: m[2], Parts: 1, Body: []byte("text")}})
			must(t, err)
		}
		must(t, markWritten(ctx, db, "s", 1))
		lost, err := db.Outbox.FailQueued(ctx, "me", "john", "It cannot be read.")
		must(t, err)
		equalList(t, "given up", stanzas(lost), []string{"two"})
		for stanza, state := range map[string]OutboxState{"one": OutboxWritten, "two": OutboxFailed, "three": OutboxQueued} {
			row, _, err := db.Outbox.ByStanzaID(ctx, "me", stanza)
			must(t, err)
			equal(t, stanza, row.State, state)
		}
		row, _, err := db.Outbox.ByStanzaID(ctx, "you", "four")
		must(t, err)
		equal(t, "another account's", row.State, OutboxQueued)
		rooms, err := db.Outbox.UntoldRooms(ctx, "me")
		must(t, err)
		equal(t, "rooms with somebody to tell", len(rooms), 1)
	})
}
