package database

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/mattn/go-sqlite3"
	_ "go.mau.fi/util/dbutil/litestream" // the drivers that are wrapped here
)

// checkpointedSuffix makes the name of a SQLite driver that of the same driver with its checkpoints left to the [Database].
const checkpointedSuffix = "+checkpointer"

// checkpointedTypes are those of the framework that keep a write-ahead log.
var checkpointedTypes = []string{"sqlite3-fk-wal", "sqlite3-fk-wal-fullsync"}

// lastResort is the length, in pages of 4 KiB, at which a commit copies the write-ahead log after all: 64 MiB instead of SQLite's 4. It bounds the log should
// the checkpointer fail, or somebody else than the [Committer] do all the writing, or more be written than it can follow.
//
// On a disk with less than ample bytes it is lastResortTight, 16 MiB: a log that takes all room there is leaves none for the database file to grow, and then it could never be
// copied any more.
const (
	lastResort      = 16 << 10
	lastResortTight = 4 << 10
	ample           = 1 << 30
)

// lastResortAt is the length for a database of this name, which has an address of a file in it, with parameters or without.
func lastResortAt(name string) int {
	file, _, _ := strings.Cut(strings.TrimPrefix(name, "file:"), "?")
	var disk syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(file), &disk); err != nil {
		return lastResortTight // opening the file will tell what is wrong
	}
	return lastResortWith(uint64(disk.Bavail) * uint64(disk.Bsize))
}

// lastResortWith is the length where so many bytes are free.
func lastResortWith(free uint64) int {
	if free < ample {
		return lastResortTight
	}
	return lastResort
}

// registerCheckpointed makes the variants known to database/sql, which minds a second time.
var registerCheckpointed = sync.OnceFunc(func() {
	for _, name := range checkpointedTypes {
		db, err := sql.Open(name, "") // opens nothing yet
		if err != nil {
			panic(err) // the import above registers it
		}
		sql.Register(name+checkpointedSuffix, checkpointedDriver{db.Driver()})
		_ = db.Close() // there is nothing to close
	}
})

// Checkpointed is the database type of which a commit does not wait for the write-ahead log to be copied into the database file, which the [Database]'s own
// checkpointer does beside it. Types that have no such variant come back as they are.
func Checkpointed(kind string) string {
	if !slices.Contains(checkpointedTypes, kind) {
		return kind
	}
	registerCheckpointed()
	return kind + checkpointedSuffix
}

// checkpointedDriver is a driver of SQLite whose connections leave checkpoints to others until the log has become as long as lastResort says.
type checkpointedDriver struct{ driver.Driver }

func (d checkpointedDriver) Open(name string) (driver.Conn, error) {
	conn, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver of SQLite makes connections of type %T", conn), conn.Close())
	}
	if _, err = c.Exec(fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", lastResortAt(name)), nil); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return conn, nil
}
