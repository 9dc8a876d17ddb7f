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

func TestAWaitingEventSurvivesAChangeOfTheKey(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		_, err := db.MatrixInbox.InsertBatch(ctx, []MatrixEvent{{EventID: "$1", RoomID: "!a", Body: []byte(`{"a":1}`)}, {EventID: "$2", RoomID: "!a", Body: []byte(`{"a":2}`)}})
		must(t, err)
		must(t, db.CheckKey(ctx, testSealer(t, "another secret key", "correct horse battery")))
		must(t, db.CheckKey(ctx, testSealer(t, "another secret key"))) // the previous key is forgotten
		_, err = db.db.Exec(ctx, `UPDATE messenger_matrix_inbox SET body=$1 WHERE event_id=$2`, []byte("v1:00000000:AAAA"), "$2")
		must(t, err)
		events, err := db.MatrixInbox.NextForRoom(ctx, "!a", 0, 10)
		must(t, err)
		equal(t, "content", string(events[0].Body), `{"a":1}`)
		equal(t, "length of the lost content", len(events[1].Body), 0)
	})
}
