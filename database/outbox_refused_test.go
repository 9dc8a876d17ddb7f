package database

import "testing"

func TestARefusedEventOnlyWaitsToBeTold(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		row := outgoing("mary", "$1", 0, 1)
		row.Body, row.Error = []byte("how to tell it"), "It has no words."
		inserted, err := db.Outbox.Refuse(ctx, row)
		must(t, err)
		equal(t, "stored", inserted, true)
		inserted, err = db.Outbox.Refuse(ctx, row)
		must(t, err)
		equal(t, "stored again", inserted, false)
		inserted, err = db.Outbox.Enqueue(ctx, []OutboxMessage{outgoing("mary", "$1", 0, 1)})
		must(t, err)
		equal(t, "sent all the same", inserted, false)

		rows, err := db.Outbox.ByEvent(ctx, "$1")
		must(t, err)
		equal(t, "rows", len(rows), 1)
		equal(t, "state", rows[0].State, OutboxFailed)
		equal(t, "kind", rows[0].Kind, KindRefusal)
		equal(t, "sentence", rows[0].Error, "It has no words.")
		equal(t, "body", string(rows[0].Body), "how to tell it")
		equal(t, "told", rows[0].ToldAt.IsZero(), true)
		equal(t, "settled", rows[0].SettledAt.IsZero(), false)

		depth, err := db.Outbox.Depth(ctx)
		must(t, err)
		equal(t, "depth", depth, 0)
		open, err := db.Outbox.Open(ctx, "me")
		must(t, err)
		equal(t, "open", len(open), 0)
		must(t, db.Outbox.MarkTold(ctx, rows[0].Seq))
		rows, err = db.Outbox.ByEvent(ctx, "$1")
		must(t, err)
		equal(t, "told", rows[0].ToldAt.IsZero(), false)
	})
}
