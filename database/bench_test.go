package database

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.mau.fi/util/dbutil"
)

// BenchmarkIncomingMessages is what a message from the service costs the database on its way to Matrix: stored and
// removed.
func BenchmarkIncomingMessages(b *testing.B) {
	for _, driver := range []string{"sqlite3-fk-wal", "sqlite3-fk-wal-fullsync", "postgres"} {
		for _, writers := range []int{1, 200} {
			b.Run(fmt.Sprintf("%s/%d chats", driver, writers), func(b *testing.B) {
				db := benchDatabase(b, driver)
				inParallel(b, writers, func(ctx context.Context, writer, n int) error {
					seq, _, err := db.MessengerInbox.Put(ctx, Incoming{
						LoginID: "me@example.com", ChatID: fmt.Sprint(writer), DedupeKey: fmt.Sprintf("%d-%d", writer, n), Kind: "message", Body: make([]byte, 200),
					})
					if err != nil {
						return err
					}
					return db.MessengerInbox.Delete(ctx, seq)
				})
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			})
		}
	}
}

// BenchmarkOutgoingMessages is what a message to the service costs the database, 200 chats of 10 logins: the event stored,
// queued and handled by a worker per chat; written and confirmed by a writer per login. Ungrouped, each step is a
// transaction of its own.
func BenchmarkOutgoingMessages(b *testing.B) {
	for _, driver := range []string{"sqlite3-fk-wal", "sqlite3-fk-wal-fullsync", "postgres"} {
		for _, grouped := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/grouped=%v", driver, grouped), func(b *testing.B) {
				db := benchDatabase(b, driver)
				do := func(ctx context.Context, fn func(ctx context.Context) error) error { return fn(ctx) }
				if !grouped {
					do = func(ctx context.Context, fn func(ctx context.Context) error) error { return db.db.DoTxn(ctx, nil, fn) }
				}
				outgoingBenchmark(b, db, do)
			})
		}
	}
}

func outgoingBenchmark(b *testing.B, db *Database, do func(context.Context, func(context.Context) error) error) {
	const logins, chats = 10, 200
	queued := make([]chan struct{}, logins) // a signal to the writer of a login
	var writers sync.WaitGroup
	var open atomic.Int64
	open.Store(int64(b.N))
	for login := range logins {
		queued[login] = make(chan struct{}, 1)
		writers.Go(func() {
			for range queued[login] {
				for {
					rows, err := db.Outbox.NextQueued(b.Context(), fmt.Sprint(login), 64, 10)
					if err != nil {
						b.Error(err)
						return
					}
					if len(rows) == 0 {
						break
					}
					if err = do(b.Context(), func(ctx context.Context) error { return markWritten(ctx, db, "s1", Seqs(rows)...) }); err != nil {
						b.Error(err)
						return
					}
					if err = do(b.Context(), func(ctx context.Context) error {
						_, err := db.Outbox.MarkConfirmed(ctx, "", Seqs(rows)...)
						return err
					}); err != nil {
						b.Error(err)
						return
					}
					open.Add(int64(-len(rows)))
				}
			}
		})
	}
	inParallel(b, chats, func(ctx context.Context, chat, n int) error {
		login := chat % logins
		err := takeEvent(ctx, db, do, fmt.Sprint(login), fmt.Sprint(chat), fmt.Sprintf("$%d-%d", chat, n))
		select {
		case queued[login] <- struct{}{}:
		default:
		}
		return err
	})
	for _, signal := range queued {
		close(signal)
	}
	writers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	if left := open.Load(); left != 0 {
		b.Errorf("%d messages are not confirmed", left)
	}
}

func takeEvent(ctx context.Context, db *Database, do func(context.Context, func(context.Context) error) error, login, chat, event string) error {
	var fresh []MatrixEvent
	for _, step := range []func(ctx context.Context) error{
		func(ctx context.Context) (err error) {
			fresh, err = db.MatrixInbox.InsertBatch(ctx, []MatrixEvent{{EventID: event, RoomID: "!" + chat, TxnID: event, Body: make([]byte, 500)}})
			return err
		},
		func(ctx context.Context) (err error) {
			_, err = db.Outbox.Enqueue(ctx, []OutboxMessage{{LoginID: login, ChatID: chat, EventID: event, StanzaID: event, Parts: 1, Body: make([]byte, 200)}})
			return err
		},
		func(ctx context.Context) error { return db.MatrixInbox.MarkHandled(ctx, fresh[0].Seq) },
	} {
		if err := do(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

func benchDatabase(b *testing.B, driver string) *Database {
	dbutil.ForceDeadlockDetection = false
	if driver == "postgres" {
		return ready(b, openPostgres(b))
	}
	return ready(b, openSQLite(b, b.TempDir(), driver))
}

// inParallel runs fn b.N times, spread over goroutines.
func inParallel(b *testing.B, goroutines int, fn func(ctx context.Context, goroutine, n int) error) {
	b.ResetTimer()
	var wg sync.WaitGroup
	for goroutine := range goroutines {
		wg.Go(func() {
			for n := goroutine; n < b.N; n += goroutines {
				if err := fn(b.Context(), goroutine, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
