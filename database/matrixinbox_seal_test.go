package database

import (
	"bytes"
	"testing"
)

func TestWhatIsSentToTheBotDoesNotLieOpenOnTheDisk(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		secret := []byte(`{"content":{"body":"EwAsecretToken=="}}`)
		_, err := db.MatrixInbox.InsertBatch(t.Context(), []MatrixEvent{{EventID: "$1", RoomID: "!a", Body: secret}})
		must(t, err)
		var stored []byte
		must(t, db.db.QueryRow(t.Context(), "SELECT body FROM messenger_matrix_inbox").Scan(&stored))
		if bytes.Contains(stored, []byte("secretToken")) || len(stored) == 0 {
			t.Errorf("stored as %q", stored)
		}
		events, err := db.MatrixInbox.NextForRoom(t.Context(), "!a", 0, 10)
		must(t, err)
		if len(events) != 1 || !bytes.Equal(events[0].Body, secret) {
			t.Errorf("read back: %+v", events)
		}
	})
}
