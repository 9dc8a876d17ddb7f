package database

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
)

// together runs writes so that they share one statement: all wait until the committer is free.
func together(t *testing.T, db *Database, waiting func() int, writes ...func() error) []error {
	release := busy(t, db.committer)
	results := make([]error, len(writes))
	var wg sync.WaitGroup
	for i, write := range writes {
		wg.Go(func() { results[i] = write() })
		for waiting() < i+1 { // one after the other, so that their order is known
			runtime.Gosched()
		}
	}
	release()
	wg.Wait()
	return results
}

func waitingIn[In, Out any](b *bulk[In, Out]) func() int {
	return func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.waiting)
	}
}

func TestAMessageThatCannotBeQueuedHarmsNoOther(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		clash := outgoing("mary", "$2", 0, 1)
		clash.StanzaID = "$1.0" // taken by $1
		put := func(message OutboxMessage) func() error {
			return func() error { _, err := db.Outbox.Enqueue(t.Context(), []OutboxMessage{message}); return err }
		}
		results := together(t, db, waitingIn(db.Outbox.enqueue), put(outgoing("mary", "$1", 0, 1)), put(clash), put(outgoing("mary", "$3", 0, 1)))
		if results[0] != nil || results[1] == nil || results[2] != nil {
			t.Errorf("got %v", results)
		}
		rows, err := db.Outbox.Open(t.Context(), "me")
		must(t, err)
		equalList(t, "queued", stanzas(rows), []string{"$1.0", "$3.0"})
	})
}

func TestOneStatementForManyWritersKeepsTheirOrderAndTellsThemApart(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		var seqs [4]int64
		var fresh [4]bool
		put := func(i int, key string) func() error {
			return func() (err error) {
				seqs[i], fresh[i], err = db.MessengerInbox.Put(t.Context(), Incoming{LoginID: "me", ChatID: "mary", DedupeKey: key})
				return err
			}
		}
		before := db.committer.commits.Load()
		for _, err := range together(t, db, waitingIn(db.MessengerInbox.put), put(0, "a"), put(1, "b"), put(2, "a"), put(3, "c")) {
			must(t, err)
		}
		after := db.committer.commits.Load()
		equal(t, "commits, with the one that kept it busy", after-before, 2)
		equal(t, "new", fresh, [4]bool{true, true, false, true})
		if seqs[0] != seqs[2] || seqs[0] >= seqs[1] || seqs[1] >= seqs[3] {
			t.Errorf("row numbers %v", seqs)
		}
	})
}

func TestAWriterWhoGivesUpLeavesASharedStatement(t *testing.T) {
	db := ready(t, openSQLite(t, t.TempDir(), "sqlite3-fk-wal"))
	ctx, cancel := context.WithCancel(t.Context())
	put := func(ctx context.Context, key string, after func()) func() error {
		return func() error {
			defer after()
			_, _, err := db.MessengerInbox.Put(ctx, Incoming{LoginID: "me", ChatID: "mary", DedupeKey: key})
			return err
		}
	}
	gaveUp := make(chan struct{})
	results := together(t, db, waitingIn(db.MessengerInbox.put), put(ctx, "a", func() { close(gaveUp) }), put(t.Context(), "b", func() {}), func() error {
		cancel()
		<-gaveUp
		_, _, err := db.MessengerInbox.Put(t.Context(), Incoming{LoginID: "me", ChatID: "mary", DedupeKey: "c"})
		return err
	})
	if !errors.Is(results[0], context.Canceled) || results[1] != nil || results[2] != nil {
		t.Errorf("got %v", results)
	}
	depth, err := db.MessengerInbox.Depth(t.Context())
	must(t, err)
	equal(t, "rows", depth, 2)
}

func TestWritesAfterCloseAreRefused(t *testing.T) {
	db := New(openSQLite(t, t.TempDir(), "sqlite3-fk-wal"), zerolog.Nop())
	must(t, db.Upgrade(t.Context()))
	db.Close()
	if err := db.MessengerInbox.Delete(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := db.Held.Delete(t.Context(), "me", "mary"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestRepeatedTransactionsAtTheSameTimeGiveEachEventToOne(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		var fresh atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for n := range 20 {
					events, err := db.MatrixInbox.InsertBatch(t.Context(), []MatrixEvent{{EventID: fmt.Sprint("$", n), RoomID: "!a"}, {EventID: fmt.Sprint("$", n+1), RoomID: "!a"}})
					if err != nil {
						t.Error(err)
					}
					fresh.Add(int64(len(events)))
				}
			})
		}
		wg.Wait()
		equal(t, "events handed out", fresh.Load(), 21)
	})
}
