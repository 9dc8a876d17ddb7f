package database

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	_ "github.com/lib/pq"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream"

	"matrix-messenger/internal/postgres"
)

func TestMain(m *testing.M) {
	dbutil.ForceDeadlockDetection = true
	code := m.Run()
	postgres.Stop()
	os.Exit(code)
}

// eachEngine runs a test on SQLite and on PostgreSQL; open gives it fresh databases, without our tables.
func eachEngine(t *testing.T, test func(t *testing.T, open func() *dbutil.Database)) {
	t.Run("SQLite", func(t *testing.T) {
		test(t, func() *dbutil.Database { return openSQLite(t, t.TempDir(), "sqlite3-fk-wal") })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, func() *dbutil.Database { return openPostgres(t) })
	})
}

// eachDatabase is eachEngine for tests that need one database with our tables and a key.
func eachDatabase(t *testing.T, test func(t *testing.T, db *Database)) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		test(t, ready(t, open()))
	})
}

func ready(t testing.TB, parent *dbutil.Database) *Database {
	db := New(parent, zerolog.Nop())
	t.Cleanup(db.Close)
	must(t, db.Upgrade(t.Context()))
	must(t, db.CheckKey(t.Context(), testSealer(t, "correct horse battery")))
	return db
}

func testSealer(t testing.TB, current string, previous ...string) *Sealer {
	sealer, err := NewSealer(current, previous)
	must(t, err)
	return sealer
}

func openSQLite(t testing.TB, dir, driver string) *dbutil.Database {
	uri := "file:" + filepath.Join(dir, "bridge.db") + "?_txlock=immediate"
	parent, err := dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: driver, URI: uri, MaxOpenConns: 5, MaxIdleConns: 1}}, nil)
	must(t, err)
	t.Cleanup(func() { _ = parent.Close() })
	return parent
}

func openPostgres(t testing.TB) *dbutil.Database {
	uri := postgres.Database(t)
	parent, err := dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "postgres", URI: uri, MaxOpenConns: 5, MaxIdleConns: 2}}, nil)
	must(t, err)
	t.Cleanup(func() { _ = parent.Close() })
	return parent
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equalList[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// markWritten gives rows to a stream, whichever of them are still queued.
func markWritten(ctx context.Context, db *Database, streamID string, seqs ...int64) error {
	_, err := db.Outbox.MarkWritten(ctx, streamID, seqs...)
	return err
}
