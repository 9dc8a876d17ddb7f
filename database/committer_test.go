package database

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

func withTable(t testing.TB, parent *dbutil.Database) (*Committer, func(n int) func(ctx context.Context) error) {
	_, err := parent.Exec(t.Context(), `CREATE TABLE number (n BIGINT PRIMARY KEY)`)
	must(t, err)
	c := NewCommitter(parent, zerolog.Nop())
	t.Cleanup(c.Close)
	return c, func(n int) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := parent.Exec(ctx, `INSERT INTO number (n) VALUES ($1)`, n)
			return err
		}
	}
}

func numbers(t *testing.T, parent *dbutil.Database) (count int) {
	must(t, parent.QueryRow(t.Context(), `SELECT COUNT(*) FROM number`).Scan(&count))
	return count
}

// busy occupies the committer until the returned function is called, so that what is handed in meanwhile shares a commit.
func busy(t *testing.T, c *Committer) (release func()) {
	started, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Do(context.Background(), func(context.Context) error {
			once.Do(func() { close(started) })
			<-gate
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-started
	return func() { close(gate); wg.Wait() }
}

// handedIn hands writes in while the committer is busy, in the order given, and returns their results after release.
func handedIn(t *testing.T, c *Committer, fns ...func(ctx context.Context) error) []error {
	release := busy(t, c)
	jobs := make([]*write, len(fns))
	for i, fn := range fns {
		jobs[i] = &write{fn: fn, result: make(chan error, 1)}
		must(t, c.handIn(t.Context(), jobs[i]))
	}
	release()
	results := make([]error, len(jobs))
	for i, job := range jobs {
		results[i] = <-job.result
	}
	return results
}

func TestWritersOfTheSameMomentShareACommit(t *testing.T) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		parent := open()
		c, insert := withTable(t, parent)
		var fns []func(ctx context.Context) error
		for n := range 100 {
			fns = append(fns, insert(n))
		}
		for _, err := range handedIn(t, c, fns...) {
			must(t, err)
		}
		commits, writes := c.commits.Load(), c.writes.Load()
		equal(t, "commits", commits, 2) // the one that kept it busy, and one for all
		equal(t, "writes", writes, 101)
		equal(t, "rows", numbers(t, parent), 100)
	})
}

func TestAFaultyWriteHarmsNoOther(t *testing.T) {
	boom := errors.New("boom")
	for name, faulty := range map[string]func(ctx context.Context, insert func(ctx context.Context) error) error{
		"returns an error":      func(context.Context, func(ctx context.Context) error) error { return boom },
		"panics":                func(context.Context, func(ctx context.Context) error) error { panic(boom) },
		"violates uniqueness":   func(ctx context.Context, insert func(ctx context.Context) error) error { return insert(ctx) },
		"ignores its SQL error": func(ctx context.Context, insert func(ctx context.Context) error) error { _ = insert(ctx); return boom },
	} {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
				parent := open()
				c, insert := withTable(t, parent)
				results := handedIn(t, c, insert(1), func(ctx context.Context) error { return faulty(ctx, insert(1)) }, insert(2))
				if results[0] != nil || results[1] == nil || results[2] != nil {
					t.Errorf("got %v", results)
				}
				equal(t, "rows", numbers(t, parent), 2)
			})
		})
	}
}

func TestAWriterWhoGaveUpDoesNotWrite(t *testing.T) {
	parent := openSQLite(t, t.TempDir(), "sqlite3-fk-wal")
	c, insert := withTable(t, parent)
	release := busy(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	job := &write{fn: insert(1), result: make(chan error, 1)}
	must(t, c.handIn(ctx, job))
	cancel()
	if err := job.await(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	must(t, c.Do(t.Context(), insert(2)))
	equal(t, "rows", numbers(t, parent), 1)
}

func TestCloseCommitsWhatWasHandedIn(t *testing.T) {
	parent := openSQLite(t, t.TempDir(), "sqlite3-fk-wal")
	c, insert := withTable(t, parent)
	release := busy(t, c)
	for n := range 50 {
		must(t, c.handIn(t.Context(), &write{fn: insert(n), result: make(chan error, 1)}))
	}
	release()
	c.Close()
	equal(t, "rows", numbers(t, parent), 50)
	if err := c.Do(t.Context(), insert(99)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
	c.Close()
}

func TestWritesFromManyGoroutinesAllArrive(t *testing.T) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		parent := open()
		c, insert := withTable(t, parent)
		var wg sync.WaitGroup
		for writer := range 40 {
			wg.Go(func() {
				for n := range 25 {
					if err := c.Do(t.Context(), insert(writer*25+n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		equal(t, "rows", numbers(t, parent), 1000)
	})
}

func TestABrokenDatabaseFailsTheWriteAndLaterOnesWork(t *testing.T) {
	parent := openSQLite(t, t.TempDir(), "sqlite3-fk-wal")
	c, insert := withTable(t, parent)
	_, err := parent.Exec(t.Context(), `ALTER TABLE number RENAME TO elsewhere`)
	must(t, err)
	err = c.Do(t.Context(), insert(1))
	if err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("got %v", err)
	}
	_, err = parent.Exec(t.Context(), `ALTER TABLE elsewhere RENAME TO number`)
	must(t, err)
	must(t, c.Do(t.Context(), insert(1)))
}
