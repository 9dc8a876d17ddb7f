package database

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func eventIDs(events []MatrixEvent) (ids []string) {
	for _, evt := range events {
		ids = append(ids, evt.EventID)
	}
	return ids
}

func TestAnEventIsKeptOnceUntilItIsHandled(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		fresh, err := db.MatrixInbox.InsertBatch(ctx, []MatrixEvent{
			{EventID: "$1", RoomID: "!a", Body: []byte(`{"a":1}`)}, {EventID: "$2", RoomID: "!b"}, {EventID: "$1", RoomID: "!a"}, {EventID: "$3", RoomID: "!a"},
		})
		must(t, err)
		equalList(t, "new events", eventIDs(fresh), []string{"$1", "$2", "$3"})
		must(t, db.MatrixInbox.MarkHandled(ctx, fresh[0].Seq))
		repeated, err := db.MatrixInbox.InsertBatch(ctx, []MatrixEvent{{EventID: "$1", RoomID: "!a"}, {EventID: "$3", RoomID: "!a"}, {EventID: "$4", RoomID: "!a", Body: []byte(`{"a":4}`)}})
		must(t, err)
		equalList(t, "new events of the repetition", eventIDs(repeated), []string{"$4"})

		rooms, err := db.MatrixInbox.RoomsPending(ctx)
		must(t, err)
		equalList(t, "rooms", rooms, []string{"!b", "!a"})
		next, err := db.MatrixInbox.NextForRoom(ctx, "!a", 0, 10)
		must(t, err)
		equalList(t, "pending", eventIDs(next), []string{"$3", "$4"})
		next, err = db.MatrixInbox.NextForRoom(ctx, "!a", next[0].Seq, 10)
		must(t, err)
		equalList(t, "pending after the first", eventIDs(next), []string{"$4"})

		for want := 1; want <= 3; want++ {
			attempts, err := db.MatrixInbox.CountAttempt(ctx, next[0].Seq)
			must(t, err)
			equal(t, "attempts", attempts, want)
		}
		must(t, db.MatrixInbox.Poison(ctx, next[0].Seq, "it crashes"))
		contents := func() int {
			n, err := queryCount(ctx, db, `SELECT COUNT(*) FROM messenger_matrix_inbox WHERE state='poisoned' AND body IS NOT NULL`)
			must(t, err)
			return n
		}
		equal(t, "contents of what was set aside", contents(), 1)
		must(t, db.ForgetRoom(ctx, "!b", "mary"))
		equal(t, "contents after another room was forgotten", contents(), 1)
		must(t, db.ForgetRoom(ctx, "!a", "mary"))
		equal(t, "contents after its room was forgotten", contents(), 0)
		depth, err := db.MatrixInbox.Depth(ctx)
		must(t, err)
		equal(t, "depth", depth, 2)
		pruned, err := db.MatrixInbox.PruneHandled(ctx, time.Now().Add(-time.Hour))
		must(t, err)
		equal(t, "pruned of the last hour", pruned, 0)
		pruned, err = db.MatrixInbox.PruneHandled(ctx, time.Now().Add(time.Hour))
		must(t, err)
		equal(t, "pruned", pruned, 2)
	})
}

func outgoing(chat, event string, part, parts int) OutboxMessage {
	return OutboxMessage{
		LoginID: "me", ChatID: chat, EventID: event, Part: part, Parts: parts, StanzaID: fmt.Sprintf("%s.%d", event, part), RoomID: "!" + chat,
		Kind: KindText, Body: []byte("text"),
	}
}

func enqueue(t *testing.T, db *Database, parts ...OutboxMessage) {
	t.Helper()
	inserted, err := db.Outbox.Enqueue(t.Context(), parts)
	must(t, err)
	equal(t, "inserted", inserted, true)
}

func stanzas(rows []OutboxMessage) (ids []string) {
	for _, row := range rows {
		ids = append(ids, row.StanzaID)
	}
	return ids
}

func TestAnEventIsQueuedOnceWhateverBecameOfIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		enqueue(t, db, outgoing("mary", "$1", 0, 2), outgoing("mary", "$1", 1, 2))
		rows, err := db.Outbox.ByEvent(ctx, "$1")
		must(t, err)
		equalList(t, "parts", stanzas(rows), []string{"$1.0", "$1.1"})
		for _, settle := range []func() error{
			func() error { return nil },
			func() error { return markWritten(ctx, db, "s", rows[0].Seq) },
			func() error { _, err := db.Outbox.MarkConfirmed(ctx, "", Seqs(rows)...); return err },
		} {
			must(t, settle())
			inserted, err := db.Outbox.Enqueue(ctx, []OutboxMessage{outgoing("mary", "$1", 0, 2), outgoing("mary", "$1", 1, 2)})
			must(t, err)
			equal(t, "inserted again", inserted, false)
		}
		must(t, markWritten(ctx, db, "s", rows[1].Seq)) // too late to matter
		row, found, err := db.Outbox.ByStanzaID(ctx, "me", "$1.1")
		must(t, err)
		if !found || row.State != OutboxConfirmed || row.Body != nil || row.SettledAt.IsZero() {
			t.Errorf("a confirmed part: %+v", row)
		}
	})
}

func TestOnlySoManyMessagesOfAChatAreUnconfirmedAndOrderIsKept(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		for n := range 300 {
			enqueue(t, db, outgoing("mary", fmt.Sprintf("$m%03d", n), 0, 1))
		}
		enqueue(t, db, outgoing("john", "$j0", 0, 1), outgoing("john", "$j1", 0, 1), outgoing("john", "$j2", 0, 1))
		other := outgoing("mary", "$other", 0, 1)
		other.LoginID = "you"
		enqueue(t, db, other)

		next, err := db.Outbox.NextQueued(ctx, "me", 10, 2)
		must(t, err)
		equalList(t, "at first", stanzas(next), []string{"$m000.0", "$m001.0", "$j0.0", "$j1.0"})
		next, err = db.Outbox.NextQueued(ctx, "me", 1, 2)
		must(t, err)
		equalList(t, "with a limit", stanzas(next), []string{"$m000.0"})
		others, err := db.Outbox.NextQueued(ctx, "me", 1, 2, "mary")
		must(t, err)
		equalList(t, "without mary, who has more than a page", stanzas(others), []string{"$j0.0"})
		others, err = db.Outbox.NextQueued(ctx, "me", 10, 2, "john", "mary")
		must(t, err)
		equal(t, "without both", len(others), 0)

		must(t, markWritten(ctx, db, "s1", next[0].Seq))
		next, err = db.Outbox.NextQueued(ctx, "me", 10, 2)
		must(t, err)
		equalList(t, "one of mary's written", stanzas(next), []string{"$m001.0", "$j0.0", "$j1.0"})
		must(t, markWritten(ctx, db, "s1", Seqs(next)...))
		next, err = db.Outbox.NextQueued(ctx, "me", 10, 2)
		must(t, err)
		equal(t, "both chats full", len(next), 0)

		unconfirmed, err := db.Outbox.Unconfirmed(ctx, "me", "")
		must(t, err)
		equalList(t, "unconfirmed", stanzas(unconfirmed), []string{"$m000.0", "$m001.0", "$j0.0", "$j1.0"})
		unconfirmed, err = db.Outbox.Unconfirmed(ctx, "me", "john")
		must(t, err)
		equalList(t, "john's unconfirmed", stanzas(unconfirmed), []string{"$j0.0", "$j1.0"})
		if unconfirmed[0].StreamID != "s1" || unconfirmed[0].Attempts != 1 || unconfirmed[0].WrittenAt.IsZero() {
			t.Errorf("a written row: %+v", unconfirmed[0])
		}
		confirmed, err := db.Outbox.MarkConfirmed(ctx, "", unconfirmed[0].Seq)
		must(t, err)
		equal(t, "confirmed", confirmed, 1)
		must(t, db.Outbox.Requeue(ctx, unconfirmed[1].Seq, unconfirmed[0].Seq))
		next, err = db.Outbox.NextQueued(ctx, "me", 10, 2)
		must(t, err)
		equalList(t, "john's second queued again", stanzas(next), []string{"$j1.0", "$j2.0"})
	})
}

func TestAnAnswerConfirmsOnlyWhatIsStillWrittenToItsStream(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		enqueue(t, db, outgoing("mary", "$1", 0, 1), outgoing("mary", "$2", 0, 1), outgoing("mary", "$3", 0, 1))
		rows, err := db.Outbox.NextQueued(ctx, "me", 10, 10)
		must(t, err)
		must(t, markWritten(ctx, db, "s1", rows[0].Seq, rows[1].Seq))
		must(t, markWritten(ctx, db, "s2", rows[2].Seq))
		must(t, db.Outbox.Requeue(ctx, rows[1].Seq))
		confirmed, err := db.Outbox.MarkConfirmed(ctx, "s1", Seqs(rows)...)
		must(t, err)
		equal(t, "confirmed", confirmed, 1)
		for i, want := range []OutboxState{OutboxConfirmed, OutboxQueued, OutboxWritten} {
			row, _, err := db.Outbox.ByStanzaID(ctx, "me", rows[i].StanzaID)
			must(t, err)
			equal(t, row.StanzaID, row.State, want)
			equal(t, row.StanzaID+" has its text", len(row.Body) > 0, want != OutboxConfirmed)
		}
		confirmed, err = db.Outbox.MarkConfirmed(ctx, "", Seqs(rows)...)
		must(t, err)
		equal(t, "confirmed by the archive", confirmed, 2)
	})
}

func TestConfirmedEventsAreReportedOnceAndWhole(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		unreported := func() []OutboxMessage {
			t.Helper()
			rows, err := db.Outbox.Unreported(ctx, "!mary", 10)
			must(t, err)
			return rows
		}
		confirm := func(stanza string) OutboxMessage {
			t.Helper()
			row, _, err := db.Outbox.ByStanzaID(ctx, "me", stanza)
			must(t, err)
			_, err = db.Outbox.MarkConfirmed(ctx, "", row.Seq)
			must(t, err)
			return row
		}
		enqueue(t, db, outgoing("mary", "$0", 0, 1))
		confirm("$0.0")
		equal(t, "unreported while nobody wants to know", len(unreported()), 0)

		db.Outbox.ReportConfirmed = true
		enqueue(t, db, outgoing("mary", "$1", 0, 2), outgoing("mary", "$1", 1, 2))
		enqueue(t, db, outgoing("mary", "$2", 0, 1))
		enqueue(t, db, outgoing("mary", "$3", 0, 1))
		confirm("$1.1")
		confirm("$2.0")
		equalList(t, "with a part open", stanzas(unreported()), []string{"$2.0"})
		confirm("$1.0")
		rows := unreported()
		equalList(t, "all of it", stanzas(rows), []string{"$1.0", "$1.1", "$2.0"})

		changed, err := db.Outbox.Fail(ctx, "Mary has left.", rows[2].Seq)
		must(t, err)
		equal(t, "refused before it was reported", changed, 1)
		must(t, db.Outbox.MarkReported(ctx, Seqs(rows)...))
		equal(t, "unreported afterwards", len(unreported()), 0)
		untold, err := db.Outbox.Untold(ctx, "!mary", 10)
		must(t, err)
		equalList(t, "what was refused is still to be told", stanzas(untold), []string{"$2.0"})
		must(t, db.Outbox.MarkTold(ctx, Seqs(untold)...))

		late := confirm("$3.0")
		must(t, db.Outbox.MarkTold(ctx, late.Seq)) // only for what failed
		must(t, db.Outbox.MarkReported(ctx, Seqs(unreported())...))
		_, err = db.Outbox.Fail(ctx, "Mary has left.", late.Seq)
		must(t, err)
		untold, err = db.Outbox.Untold(ctx, "!mary", 10)
		must(t, err)
		equalList(t, "refused after it was reported", stanzas(untold), []string{"$3.0"})
	})
}

func TestMessagesThatFailAreReportedOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		enqueue(t, db, outgoing("mary", "$1", 0, 1), outgoing("mary", "$2", 0, 1), outgoing("mary", "$3", 0, 1))
		next, err := db.Outbox.NextQueued(ctx, "me", 10, 10)
		must(t, err)
		must(t, markWritten(ctx, db, "s", next[0].Seq))
		_, err = db.Outbox.MarkConfirmed(ctx, "", next[0].Seq)
		must(t, err)
		for _, want := range []int64{1, 0} { // a service may refuse what it seemed to have taken, and say so twice
			changed, err := db.Outbox.Fail(ctx, "Mary has left.", next[0].Seq)
			must(t, err)
			equal(t, "changed", changed, want)
		}

		why := GivenUp{Queued: "It was not sent.", Written: "Nobody knows."}
		expired, err := db.Outbox.Expire(ctx, time.Now().Add(time.Hour), 1, why)
		must(t, err)
		equalList(t, "expired", stanzas(expired), []string{"$2.0"})
		row, _, err := db.Outbox.ByStanzaID(ctx, "me", "$2.0")
		must(t, err)
		equal(t, "its state", row.State, OutboxExpired)
		equal(t, "its reason", row.Error, "It was not sent.")
		if _, err = db.Outbox.Settle(ctx, OutboxConfirmed, "", 1); err == nil {
			t.Error("settled as confirmed")
		}

		must(t, markWritten(ctx, db, "s", 3))
		lost, err := db.Outbox.FailLogin(ctx, "me", why)
		must(t, err)
		equalList(t, "lost at the logout", stanzas(lost), []string{"$3.0"})
		equal(t, "its text", string(lost[0].Body), "text")
		open, err := db.Outbox.Open(ctx, "me")
		must(t, err)
		equal(t, "open messages", len(open), 0)
		row, _, err = db.Outbox.ByStanzaID(ctx, "me", "$3.0")
		must(t, err)
		equal(t, "state", row.State, OutboxFailed)
		equal(t, "reason of what was written", row.Error, "Nobody knows.")
		pruned, err := db.Outbox.PruneSettled(ctx, time.Now().Add(time.Hour))
		must(t, err)
		equal(t, "pruned before anybody was told", pruned, 0)
		for _, login := range []string{"", "me", "you"} {
			rooms, err := db.Outbox.UntoldRooms(ctx, login)
			must(t, err)
			equal(t, "rooms of "+login+" with something to tell", len(rooms), map[string]int{"": 1, "me": 1}[login])
		}
		must(t, db.Outbox.MarkTold(ctx, 1, 2, 3))
		pruned, err = db.Outbox.PruneSettled(ctx, time.Now().Add(time.Hour))
		must(t, err)
		equal(t, "pruned", pruned, 3)
	})
}

func TestAMessageOfTheServiceIsKeptOnceUntilTheRoomHasIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		stamp := time.UnixMilli(1234567890123).UTC()
		put := func(chat, key string, want bool) int64 {
			t.Helper()
			seq, inserted, err := db.MessengerInbox.Put(ctx, Incoming{LoginID: "me", ChatID: chat, DedupeKey: key, Kind: "message", Body: []byte(key), Stamp: stamp})
			must(t, err)
			equal(t, "inserted "+key, inserted, want)
			return seq
		}
		first := put("mary", "1", true)
		put("john", "2", true)
		put("mary", "3", true)
		equal(t, "seq of a repetition", put("mary", "1", false), first)

		chats, err := db.MessengerInbox.PendingChats(ctx)
		must(t, err)
		equalList(t, "chats", chats, []ChatKey{{"me", "mary"}, {"me", "john"}})
		next, found, err := db.MessengerInbox.NextForChat(ctx, "me", "mary")
		must(t, err)
		if !found || next.Seq != first || !next.Stamp.Equal(stamp) || string(next.Body) != "1" {
			t.Errorf("next: %+v", next)
		}
		must(t, db.MessengerInbox.SetAside(ctx, first, "the homeserver said \xff\x00"+strings.Repeat("é", 1000)))
		list, err := db.MessengerInbox.LastForChat(ctx, "me", "mary", 10)
		must(t, err)
		if len(list) != 1 || list[0].DedupeKey != "3" {
			t.Errorf("left: %+v", list)
		}
		put("mary", "1", false) // what was set aside does not come back
		must(t, db.MessengerInbox.Delete(ctx, list[0].Seq))
		depth, err := db.MessengerInbox.Depth(ctx)
		must(t, err)
		equal(t, "depth", depth, 1)
		pruned, err := db.MessengerInbox.PruneSetAside(ctx, time.Now().Add(time.Hour))
		must(t, err)
		equal(t, "pruned", pruned, 1)
	})
}

func TestRowNumbersAreNotUsedTwice(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		var last int64
		for n := range 3 {
			seq, _, err := db.MessengerInbox.Put(t.Context(), Incoming{LoginID: "me", ChatID: "mary", DedupeKey: fmt.Sprint(n)})
			must(t, err)
			if seq <= last {
				t.Errorf("%d after %d", seq, last)
			}
			last = seq
			must(t, db.MessengerInbox.Delete(t.Context(), seq))
		}
	})
}
