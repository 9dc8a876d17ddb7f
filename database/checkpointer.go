package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

const (
	checkpointPause   = time.Second      // between two checkpoints
	checkpointTimeout = 30 * time.Second // for one
	restartPatience   = 20               // milliseconds that the writers are held up for a reader who still needs the log
)

// checkpointer copies what was committed from SQLite's write-ahead log into the database file, beside the writers. By itself SQLite does that inside of the commit
// that makes the log long, with two waits for the disk: under load everything that waits for a commit then stood still several times a second.
//
// As long as somebody writes all the time, the log never is copied to its end, and only a log at its end is begun anew. So when it has become long, the writers
// are held up for the last pages of it.
type checkpointer struct {
	db     *sql.DB
	log    zerolog.Logger
	length int           // of the log, in pages, from which it is begun anew; 0 is half of what a commit lets it become
	pause  time.Duration // between two checkpoints
	kicks  chan struct{}
	cancel context.CancelFunc
	ended  sync.WaitGroup

	rounds, restarts atomic.Int64
}

// newCheckpointer starts one for a database in SQLite, nil for any other. It ends with close.
func newCheckpointer(db *dbutil.Database, log zerolog.Logger, length int, pause time.Duration) *checkpointer {
	if db.Dialect != dbutil.SQLite {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &checkpointer{db: db.RawDB, log: log, length: length, pause: pause, kicks: make(chan struct{}, 1), cancel: cancel}
	c.ended.Go(func() { c.run(ctx) })
	return c
}

// kick tells that something was committed.
func (c *checkpointer) kick() {
	if c == nil {
		return
	}
	select {
	case c.kicks <- struct{}{}:
	default:
	}
}

// close ends it; what is in the log stays there.
func (c *checkpointer) close() {
	if c == nil {
		return
	}
	c.cancel()
	c.ended.Wait()
}

func (c *checkpointer) run(ctx context.Context) {
	failing := false
	for {
		select {
		case <-c.kicks:
		case <-ctx.Done():
			return
		}
		select { // so that a burst has one checkpoint
		case <-time.After(c.pause):
		case <-ctx.Done():
			return
		}
		err := c.checkpoint(ctx)
		c.rounds.Add(1)
		if ctx.Err() != nil {
			return
		}
		if failed := err != nil; failed != failing {
			failing = failed
			if failed {
				c.log.Warn().Err(err).Msg("The database's write-ahead log could not be copied into the database file; it grows until commits wait for that, from 16 MB on a small disk and from 64 MB on others")
			} else {
				c.log.Info().Msg("The database's write-ahead log is copied into the database file again")
			}
		}
	}
}

// checkpoint copies what is in the log, which has it on the disk also where commits do not wait for that. The log is begun anew if it has become long. Somebody who is in the way,
// a reader who needs the log for longer or another checkpoint, is no error: it is tried again the next time.
func (c *checkpointer) checkpoint(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkpointTimeout)
	defer cancel()
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	limit := c.length
	if limit == 0 {
		if err = conn.QueryRowContext(ctx, "PRAGMA wal_autocheckpoint").Scan(&limit); err != nil {
			return err
		}
		limit /= 2
	}
	length, err := walCheckpoint(ctx, conn, "PASSIVE")
	if err == nil && length >= limit {
		// What was committed meanwhile is copied in the same way, so that little is left to hold up the writers for.
		if _, err = walCheckpoint(ctx, conn, "PASSIVE"); err == nil {
			err = c.restart(ctx, conn)
		}
	}
	if errors.Is(err, errLogInUse) {
		err = nil
	}
	return err
}

// restart holds up the writers, copies the rest of the log and has it begun anew.
func (c *checkpointer) restart(ctx context.Context, conn *sql.Conn) error {
	var patience int
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return err
	}
	err := setPatience(ctx, conn, restartPatience)
	if err == nil {
		if _, err = walCheckpoint(ctx, conn, "RESTART"); err == nil {
			c.restarts.Add(1)
		}
	}
	if back := setPatience(context.WithoutCancel(ctx), conn, patience); back != nil {
		// Others would get a connection that gives up at once.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		err = errors.Join(err, back)
	}
	return err
}

// setPatience is how many milliseconds a connection waits for others' locks.
func setPatience(ctx context.Context, conn *sql.Conn, millis int) error {
	return conn.QueryRowContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", millis)).Scan(new(int))
}

// errLogInUse is the answer to a checkpoint that others were in the way of.
var errLogInUse = errors.New("somebody needs the write-ahead log")

// walCheckpoint gives the length of the log, in pages, that the checkpoint found. What is committed while it works is not among them.
func walCheckpoint(ctx context.Context, conn *sql.Conn, mode string) (length int, err error) {
	var busy bool
	if err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &length, new(int)); err == nil && busy {
		err = errLogInUse
	}
	return length, err
}
