package database

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestTheLogTellsHowOftenAMessageIsThereWithItsExactTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		stamp := time.UnixMilli(1700000000000).UTC()
		entry := LogEntry{LoginID: "me", ChatID: "mary", TextHash: "ok", Stamp: stamp, Source: "offline"}
		for n, change := range []func(*LogEntry){
			func(*LogEntry) {}, func(*LogEntry) {}, func(e *LogEntry) { e.Mine = true }, func(e *LogEntry) { e.Source = "live" },
			func(e *LogEntry) { e.Stamp = stamp.Add(time.Second) }, func(e *LogEntry) { e.TextHash = "no" }, func(e *LogEntry) { e.ChatID = "john" },
		} {
			other := entry
			other.Key = fmt.Sprint(n)
			change(&other)
			must(t, db.ChatLog.Append(ctx, 0, other))
		}
		count, err := db.ChatLog.CountAt(ctx, "me", "mary", false, "ok", stamp, "offline", "archive")
		must(t, err)
		equal(t, "count", count, 2)
	})
}

func TestThePartsOfASplitMessageKnowTheWhole(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		part := LogEntry{LoginID: "me", ChatID: "mary", Key: "m.0", Group: "m", Whole: "hash", StreamID: "run.1"}
		must(t, db.ChatLog.Append(ctx, 0, part))
		whole, err := db.ChatLog.WholeOf(ctx, "me", "mary", "m")
		must(t, err)
		equal(t, "whole", whole, "hash")
		none, err := db.ChatLog.WholeOf(ctx, "me", "john", "m")
		must(t, err)
		equal(t, "whole in another chat", none, "")
		tail, err := db.ChatLog.Tail(ctx, "me", "mary", 1)
		must(t, err)
		part.Seq = tail[0].Seq
		equal(t, "entry", tail[0], part)
	})
}

func TestWhatWasMissedIsPutBeforeWhatCameLater(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		put := func(key string) Incoming {
			row := Incoming{LoginID: "me", ChatID: "mary", DedupeKey: key, Kind: "message", Body: []byte(key), ReceivedAt: time.UnixMilli(5).UTC()}
			var err error
			row.Seq, _, err = db.MessengerInbox.Put(ctx, row)
			must(t, err)
			return row
		}
		order := func() (keys []string) {
			rows, err := db.MessengerInbox.LastForChat(ctx, "me", "mary", 10)
			must(t, err)
			for _, row := range rows {
				keys = append(keys, row.DedupeKey)
			}
			return keys
		}
		put("a")
		b := put("b")
		c := put("c")
		put("d") // came in while the archive was being asked
		missed := Incoming{LoginID: "me", ChatID: "mary", DedupeKey: "missed", Kind: "own"}
		must(t, db.MessengerInbox.Rearrange(ctx, "me", "mary", c.Seq, []Incoming{missed, b, c}))
		equalList(t, "order", order(), []string{"a", "missed", "b", "c", "d"})
		rows, err := db.MessengerInbox.LastForChat(ctx, "me", "mary", 2)
		must(t, err)
		equal(t, "what moved is unchanged", string(rows[0].Body)+rows[0].ReceivedAt.String(), "c"+time.UnixMilli(5).UTC().String())
		if err = db.MessengerInbox.Rearrange(ctx, "me", "mary", c.Seq, []Incoming{missed, b}); !errors.Is(err, ErrQueueChanged) {
			t.Fatalf("moving a row that is gone: %v", err)
		}
		equalList(t, "order after a refusal", order(), []string{"a", "missed", "b", "c", "d"})
	})
}

func TestRowsAreFoundByTheirExactTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		stamp := time.UnixMilli(1700000000000).UTC()
		for n, at := range []time.Time{stamp, stamp.Add(time.Second)} {
			_, _, err := db.MessengerInbox.Put(ctx, Incoming{LoginID: "me", ChatID: "mary", DedupeKey: fmt.Sprint(n), Stamp: at})
			must(t, err)
		}
		rows, err := db.MessengerInbox.AtStamp(ctx, "me", "mary", stamp)
		must(t, err)
		equal(t, "rows", len(rows), 1)
	})
}

func TestChatsOfWhichNothingIsKnownAreThoseWithoutMessagesThatWereNotDismissed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		must(t, db.ChatLog.Append(ctx, 0, LogEntry{LoginID: "me", ChatID: "talked", Key: "1"}, LogEntry{LoginID: "you", ChatID: "new", Key: "1"}))
		must(t, db.ArchiveRead.Set(ctx, "me", "read", ArchiveRead{At: time.UnixMilli(1700000000000), StreamID: "run.1"}))
		must(t, db.ArchiveRead.Dismiss(ctx, "me", "declined"))
		must(t, db.ArchiveRead.Dismiss(ctx, "me", "accepted"))
		must(t, db.ArchiveRead.Readmit(ctx, "me", "accepted"))
		must(t, db.ArchiveRead.Readmit(ctx, "me", "read"))
		chats := []string{"talked", "read", "declined", "new", "accepted"}
		for i := range maxListed {
			chats = append(chats, fmt.Sprint("more", i))
		}
		unseen, err := db.ArchiveRead.Unseen(ctx, "me", chats)
		must(t, err)
		equal(t, "how many", len(unseen), 3+maxListed)
		equal(t, "the first", fmt.Sprint(unseen[:4]), "[read new accepted more0]")
		read, err := db.ArchiveRead.Get(ctx, "me", "read")
		must(t, err)
		equal(t, "what was read stays", read.StreamID, "run.1")
		none, err := db.ArchiveRead.Unseen(ctx, "me", nil)
		must(t, err)
		equal(t, "of none", len(none), 0)
	})
}

func TestAChatRemembersWhenItsArchiveWasRead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		stamp := time.UnixMilli(1700000000000).UTC()
		read, err := db.ArchiveRead.Get(ctx, "me", "mary")
		must(t, err)
		equal(t, "before", read, ArchiveRead{})
		must(t, db.ArchiveRead.Set(ctx, "me", "mary", ArchiveRead{At: stamp.Add(-time.Hour), StreamID: "run.1"}))
		must(t, db.ArchiveRead.Set(ctx, "me", "mary", ArchiveRead{At: stamp, StreamID: "run.2"}))
		read, err = db.ArchiveRead.Get(ctx, "me", "mary")
		must(t, err)
		equal(t, "after", read, ArchiveRead{At: stamp, StreamID: "run.2"})
		must(t, db.DeleteLogin(ctx, "me", false))
		read, err = db.ArchiveRead.Get(ctx, "me", "mary")
		must(t, err)
		equal(t, "after the login has gone", read, ArchiveRead{})
	})
}
