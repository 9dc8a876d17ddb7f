package database

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

const (
	committerQueue = 1024             // writes waiting beyond the batch being committed; more make their callers wait
	maxBatch       = 512              // writes in one commit
	commitTimeout  = 30 * time.Second // for one commit with all its writes
)

// ErrClosed is the answer to a write after Close.
var ErrClosed = errors.New("the database is closed")

// Committer is a group commit: while one transaction is being committed, further writes gather for the next one, so that the
// number of commits follows the disk and not the number of writers. Writes happen in the order they were handed in. One
// goroutine does the work; the queue is bounded; a full queue makes writers wait.
type Committer struct {
	db      *dbutil.Database
	log     zerolog.Logger
	jobs    chan *write
	done    chan struct{}
	mu      sync.RWMutex // held for reading while handing in, so that Close does not close the queue under a writer
	closed  bool
	flushes sync.WaitGroup // of bulk writes, which hand in

	checkpointer *checkpointer // nil on PostgreSQL

	commits atomic.Int64 // how many there were
	writes  atomic.Int64 // how many they held
}

// write is one function on its way into a transaction.
type write struct {
	fn      func(ctx context.Context) error
	started atomic.Bool // set by the one who decides whether it runs: the committer, or a caller who gave up
	result  chan error
}

// NewCommitter starts a group commit on db. It ends with [Committer.Close].
func NewCommitter(db *dbutil.Database, log zerolog.Logger) *Committer {
	c := &Committer{db: db, log: log, jobs: make(chan *write, committerQueue), done: make(chan struct{})}
	c.checkpointer = newCheckpointer(db, log, 0, checkpointPause)
	go c.run()
	return c
}

// Do runs fn inside a transaction and returns nil once that is committed. If ctx ends before fn was started, fn does not run
// and the error is that of ctx; once started, Do waits for the outcome (bounded by the commit's own deadline). fn may run more
// than once, see [Database.Write].
func (c *Committer) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	job := &write{fn: fn, result: make(chan error, 1)}
	if err := c.handIn(ctx, job); err != nil {
		return err
	}
	return job.await(ctx)
}

// await waits for the outcome, or withdraws the write when ctx ends and it has not been started.
func (job *write) await(ctx context.Context) error {
	select {
	case err := <-job.result:
		return err
	case <-ctx.Done():
		if job.started.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-job.result
	}
}

func (c *Committer) handIn(ctx context.Context, job *write) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.jobs <- job:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// background runs fn in a goroutine that Close waits for; false when it is too late for that.
func (c *Committer) background(fn func()) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return false
	}
	c.flushes.Go(fn)
	return true
}

// Close commits what was handed in and returns when that is done.
func (c *Committer) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.jobs)
	}
	c.mu.Unlock()
	<-c.done
	c.flushes.Wait()
	c.checkpointer.close()
}

func (c *Committer) run() {
	defer close(c.done)
	batch := make([]*write, 0, maxBatch)
	for job := range c.jobs {
		batch = append(batch[:0], job)
		for gathering := true; gathering && len(batch) < maxBatch; {
			select {
			case next, open := <-c.jobs:
				if open {
					batch = append(batch, next)
				}
				gathering = open
			default:
				gathering = false
			}
		}
		c.commit(batch)
		clear(batch)
	}
}

// commit runs a batch in one transaction. When one write fails, which ends the whole transaction on PostgreSQL, every write
// is run in a transaction of its own, so that only the faulty one gets an error.
func (c *Committer) commit(batch []*write) {
	live := batch[:0]
	for _, job := range batch {
		if job.started.CompareAndSwap(false, true) {
			live = append(live, job)
		}
	}
	if len(live) == 0 {
		return
	}
	err := c.transact(live)
	if err == nil || len(live) == 1 || isWholeFailure(err) {
		for _, job := range live {
			job.result <- err
		}
		return
	}
	c.log.Debug().Err(err).Int("writes", len(live)).Msg("A shared commit failed, committing its writes one by one")
	for i := range live {
		live[i].result <- c.transact(live[i : i+1])
	}
}

func (c *Committer) transact(jobs []*write) error {
	ctx, cancel := context.WithTimeout(c.log.WithContext(context.Background()), commitTimeout)
	defer cancel()
	err := c.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, job := range jobs {
			if err := callWrite(ctx, job.fn); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		c.commits.Add(1)
		c.writes.Add(int64(len(jobs)))
	}
	c.checkpointer.kick() // also after a failure: on a full disk the log has room again once it is copied
	return err
}

// isWholeFailure reports whether an error is that of the transaction and not of one of its writes.
func isWholeFailure(err error) bool {
	return errors.Is(err, dbutil.ErrTxnBegin) || errors.Is(err, dbutil.ErrTxnCommit) || errors.Is(err, context.DeadlineExceeded)
}

// callWrite turns a panic into an error: the goroutine belongs to all writers.
func callWrite(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic in a database write: %v\n%s", cause, debug.Stack())
		}
	}()
	return fn(ctx)
}
