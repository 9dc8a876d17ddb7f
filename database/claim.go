package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.mau.fi/util/dbutil"
)

// ErrInUse is in the error of [TakeClaim] when another process holds the database.
var ErrInUse = errors.New("another process uses this database; every process needs a database (or a schema and role) of its own, and one process is all that a configuration may have")

// Claim is the right to use a database alone, for the life of the process. Two bridges on one database would sign everybody in twice and send each message twice,
// so each takes the claim before it does anything else. It ends with the process, however that ends.
//
// On PostgreSQL it is an advisory lock of a connection of its own, for the current schema. That connection is looked after: when it breaks, the claim is taken
// again. On SQLite it is a lock on the file beside the database that ends in .lock; systems without flock have none.
type Claim struct {
	held holder
	once sync.Once
}

// holder is what holds the claim on one engine.
type holder interface {
	lost() <-chan struct{}
	release() error
}

const (
	// claimPatience is how long a claim is waited for: a process that is being replaced may still be closing.
	claimPatience = 5 * time.Second
	claimPause    = 100 * time.Millisecond
)

// TakeClaim claims the database with a dbutil type and URI. names are what else must be unique among the processes that share a PostgreSQL database, such as the
// bridge's Matrix user; SQLite ignores them. The error contains [ErrInUse] when another process has the claim.
func TakeClaim(ctx context.Context, kind, uri string, names ...string) (*Claim, error) {
	return takeClaim(ctx, claimPatience, kind, uri, names)
}

func takeClaim(ctx context.Context, patience time.Duration, kind, uri string, names []string) (*Claim, error) {
	dialect, err := dbutil.ParseDialect(kind)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var held holder
		if dialect == dbutil.Postgres {
			held, err = claimPostgres(ctx, kind, uri, names)
		} else {
			held, err = claimFile(uri)
		}
		if err == nil {
			return &Claim{held: held}, nil
		}
		if !errors.Is(err, ErrInUse) || !pause(within, claimPause) {
			return nil, err
		}
	}
}

// pause waits; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Lost is closed when another process has taken the database, which can happen after the connection to PostgreSQL was lost: then this process has to stop.
func (c *Claim) Lost() <-chan struct{} { return c.held.lost() }

// Release gives the database free. It may be called again.
func (c *Claim) Release() (err error) {
	c.once.Do(func() { err = c.held.release() })
	return err
}

// SQLiteFile is the path in a SQLite URI, false for a database in memory.
func SQLiteFile(uri string) (path string, ok bool) {
	path, _, _ = strings.Cut(strings.TrimPrefix(uri, "file:"), "?")
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	return path, path != "" && path != ":memory:"
}

func claimFile(uri string) (holder, error) {
	path, ok := SQLiteFile(uri)
	if !ok {
		return noHolder{}, nil
	}
	held, err := lockFile(path + ".lock")
	if err != nil && !errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("the lock of the database cannot be taken: %w", err)
	}
	return held, err
}

// noHolder claims what nobody else can reach.
type noHolder struct{}

func (noHolder) lost() <-chan struct{} { return nil }
func (noHolder) release() error        { return nil }
