package database

import (
	"testing"
	"time"
)

func TestAChatIsToldOnceThatItsMessagesAreLate(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx, soon := t.Context(), time.Now().Add(time.Hour)
		late := func(before time.Time) []string {
			t.Helper()
			rows, err := db.Outbox.Overdue(ctx, before, 0, 10)
			must(t, err)
			return stanzas(rows)
		}
		notified := func(login, chat string) bool {
			t.Helper()
			is, err := db.Outbox.IsNotified(ctx, login, chat)
			must(t, err)
			return is
		}
		enqueue(t, db, outgoing("mary", "$1", 0, 1), outgoing("mary", "$2", 0, 1), outgoing("john", "$3", 0, 1))
		other := outgoing("mary", "$4", 0, 1)
		other.LoginID = "you"
		enqueue(t, db, other)
		next, err := db.Outbox.NextQueued(ctx, "me", 1, 10)
		must(t, err)
		must(t, markWritten(ctx, db, "s", next[0].Seq))
		equal(t, "late for an hour", len(late(time.Now().Add(-time.Hour))), 0)
		equalList(t, "the oldest of each chat", late(soon), []string{"$1.0", "$3.0", "$4.0"})
		equal(t, "told", notified("me", "mary"), false)
		var seen []string
		for after := int64(0); ; {
			page, err := db.Outbox.Overdue(ctx, soon, after, 1)
			must(t, err)
			if len(page) == 0 {
				break
			}
			seen, after = append(seen, stanzas(page)...), page[0].Seq
		}
		equalList(t, "one after the other", seen, []string{"$1.0", "$3.0", "$4.0"})

		must(t, db.Outbox.MarkNotified(ctx, "me", "mary", time.Now().Add(-time.Hour)))
		equal(t, "told about what is younger", notified("me", "mary"), false)
		must(t, db.Outbox.MarkNotified(ctx, "me", "mary", soon))
		equal(t, "told", notified("me", "mary"), true)
		equal(t, "another account told", notified("you", "mary"), false)
		equalList(t, "late and not told", late(soon), []string{"$3.0", "$4.0"})

		enqueue(t, db, outgoing("mary", "$5", 0, 1))
		equalList(t, "with a further one", late(soon), []string{"$3.0", "$4.0", "$5.0"})
		equal(t, "still told", notified("me", "mary"), true)
		must(t, markWritten(ctx, db, "s", 2))
		_, err = db.Outbox.MarkConfirmed(ctx, "s", 1, 2)
		must(t, err)
		equal(t, "told after those got through", notified("me", "mary"), false)
	})
}

func TestOnlyWhatIsStillQueuedIsGivenToAStream(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		for _, id := range []string{"$1", "$2", "$3"} {
			enqueue(t, db, outgoing("mary", id, 0, 1))
		}
		_, err := db.Outbox.Fail(ctx, "It was not sent.", 2)
		must(t, err)
		taken, err := db.Outbox.MarkWritten(ctx, "s", 3, 2, 1)
		must(t, err)
		equalList(t, "given", taken, []int64{3, 1})
		taken, err = db.Outbox.MarkWritten(ctx, "s", 1, 2, 3)
		must(t, err)
		equalList(t, "given again", taken, nil)
	})
}
