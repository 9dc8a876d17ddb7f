package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

func TestACheckpointedTypeDiffersInItsCheckpointsOnly(t *testing.T) {
	dir := t.TempDir()
	read := func(kind, pragma string) (value string) {
		db := openSQLite(t, dir, kind)
		must(t, db.QueryRow(t.Context(), "PRAGMA "+pragma).Scan(&value))
		return value
	}
	for _, kind := range []string{"sqlite3-fk-wal", "sqlite3-fk-wal-fullsync"} {
		for _, pragma := range []string{"journal_mode", "synchronous", "foreign_keys", "busy_timeout"} {
			equal(t, kind+" "+pragma, read(Checkpointed(kind), pragma), read(kind, pragma))
		}
		equal(t, kind+" wal_autocheckpoint", read(Checkpointed(kind), "wal_autocheckpoint"), fmt.Sprint(lastResortAt("file:"+filepath.Join(dir, "bridge.db")+"?_txlock=immediate")))
	}
	for _, kind := range []string{"postgres", "litestream", "sqlite3", Checkpointed("sqlite3-fk-wal")} {
		equal(t, "the type", Checkpointed(kind), kind)
	}
}

func TestTheLogStaysShortWhereThereIsLittleRoom(t *testing.T) {
	equal(t, "with little room", lastResortWith(ample-1), lastResortTight)
	equal(t, "with more", lastResortWith(ample), lastResort)
	equal(t, "where there is no folder", lastResortAt(filepath.Join(t.TempDir(), "none", "bridge.db")), lastResortTight)
	for _, limit := range []int{lastResortTight, 400} { // the checkpointer goes by the limit of the connection that it is given
		db := openSQLite(t, t.TempDir(), "sqlite3-fk-wal")
		db.RawDB.SetMaxOpenConns(1)
		_, err := db.Exec(t.Context(), fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", limit))
		must(t, err)
		_, err = db.Exec(t.Context(), `CREATE TABLE blob (data BLOB)`)
		must(t, err)
		_, err = db.Exec(t.Context(), `INSERT INTO blob (data) VALUES (zeroblob(1200000))`) // some 300 pages
		must(t, err)
		c := newCheckpointer(db, zerolog.Nop(), 0, checkpointPause)
		must(t, c.checkpoint(t.Context()))
		c.close()
		equal(t, fmt.Sprintf("begun anew with a limit of %d pages", limit), c.restarts.Load() == 1, limit == 400)
	}
}

// walWorld is a database of which checkpoints are made by hand.
type walWorld struct {
	*dbutil.Database
	*checkpointer
	file string
}

func newWalWorld(t *testing.T) *walWorld {
	dir := t.TempDir()
	db := openSQLite(t, dir, Checkpointed("sqlite3-fk-wal"))
	_, err := db.Exec(t.Context(), `CREATE TABLE blob (n INTEGER PRIMARY KEY, data BLOB)`)
	must(t, err)
	c := newCheckpointer(db, zerolog.Nop(), 100, checkpointPause)
	t.Cleanup(c.close)
	return &walWorld{db, c, filepath.Join(dir, "bridge.db")}
}

// write makes the log longer by some 50 pages.
func (w *walWorld) write(t *testing.T) {
	t.Helper()
	_, err := w.Exec(t.Context(), `INSERT INTO blob (data) VALUES (zeroblob(200000))`)
	must(t, err)
}

// length is that of the log in pages, as the next checkpoint finds it.
func (w *walWorld) length(t *testing.T) int {
	t.Helper()
	conn, err := w.RawDB.Conn(t.Context())
	must(t, err)
	defer conn.Close()
	length, err := walCheckpoint(t.Context(), conn, "PASSIVE")
	must(t, err)
	return length
}

func TestALongLogIsBegunAnewWhileSomebodyWrites(t *testing.T) {
	w := newWalWorld(t)
	for range 20 { // a thousand pages in all
		w.write(t)
		must(t, w.checkpoint(t.Context()))
		w.write(t) // so that no checkpoint finds the end of the log, had it not held up the writers
	}
	if restarts := w.restarts.Load(); restarts < 5 {
		t.Errorf("the log was begun anew %d times", restarts)
	}
	if length := w.length(t); length > 200 {
		t.Errorf("the log has %d pages", length)
	}
	info, err := os.Stat(w.file)
	must(t, err)
	if info.Size() < 39*200_000 {
		t.Errorf("the database file has %d bytes, which is not what was written", info.Size())
	}
}

func TestAReaderWhoNeedsTheLogIsLeftInPeace(t *testing.T) {
	w := newWalWorld(t)
	reader, err := w.RawDB.Conn(t.Context())
	must(t, err)
	defer reader.Close()
	_, err = reader.ExecContext(t.Context(), `BEGIN DEFERRED`)
	must(t, err)
	count := func() (count int) {
		must(t, reader.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM blob`).Scan(&count))
		return count
	}
	equal(t, "rows at first", count(), 0)
	for range 4 {
		w.write(t)
		must(t, w.checkpoint(t.Context()))
	}
	equal(t, "restarts beside the reader", w.restarts.Load(), 0)
	equal(t, "rows the reader sees", count(), 0)
	_, err = reader.ExecContext(t.Context(), `ROLLBACK`)
	must(t, err)

	must(t, w.checkpoint(t.Context()))
	equal(t, "restarts after the reader", w.restarts.Load(), 1)
	var patience, rows int
	conn, err := w.RawDB.Conn(t.Context())
	must(t, err)
	defer conn.Close()
	must(t, conn.QueryRowContext(t.Context(), `PRAGMA busy_timeout`).Scan(&patience))
	equal(t, "the patience of the connection", patience, 5000)
	must(t, conn.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM blob`).Scan(&rows))
	equal(t, "rows", rows, 4)
}

// awaitRound waits until a checkpoint has been tried.
func awaitRound(t *testing.T, c *checkpointer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commitTimeout)
	defer cancel()
	for c.rounds.Load() == 0 {
		select {
		case <-time.After(10 * time.Millisecond): // it tells nobody
		case <-ctx.Done():
			t.Fatal("there was no checkpoint")
		}
	}
}

func TestCommitsAreFollowedByCheckpoints(t *testing.T) {
	committer, insert := withTable(t, openSQLite(t, t.TempDir(), Checkpointed("sqlite3-fk-wal")))
	must(t, committer.Do(t.Context(), insert(1)))
	awaitRound(t, committer.checkpointer)
}

func TestAFailingCheckpointIsToldOnce(t *testing.T) {
	db := openSQLite(t, t.TempDir(), Checkpointed("sqlite3-fk-wal"))
	var log strings.Builder
	c := newCheckpointer(db, zerolog.New(&log), 100, 0)
	must(t, db.Close())
	for c.rounds.Load() < 3 {
		c.kick()
	}
	c.close()
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "write-ahead log") {
		t.Errorf("the log has %d lines: %s", n, log.String())
	}
}

func TestAFailedCommitIsFollowedByACheckpointToo(t *testing.T) {
	committer, _ := withTable(t, openSQLite(t, t.TempDir(), Checkpointed("sqlite3-fk-wal")))
	full := errors.New("the disk is full")
	if err := committer.Do(t.Context(), func(context.Context) error { return full }); !errors.Is(err, full) {
		t.Fatalf("the write ended with %v", err)
	}
	awaitRound(t, committer.checkpointer) // without it a log that has taken all of the disk would stay
}
