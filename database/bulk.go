package database

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.mau.fi/util/dbutil"
)

// bulk turns the same write by many callers at once into one statement. The group commit saves commits; this saves
// statements, which is what is left to save (and most of the time on PostgreSQL, where each is a round trip).
//
// The first caller to find no one waiting starts a flush; whoever comes until the flush is run takes part in it.
type bulk[In, Out any] struct {
	db  *Database
	run func(ctx context.Context, in []In) ([]Out, error) // in a transaction; one Out for each In; may be run again

	mu      sync.Mutex
	waiting []*bulkItem[In, Out]
}

type bulkItem[In, Out any] struct {
	in      In
	out     Out
	started atomic.Bool // as in write
	result  chan error
}

// do is the write of one caller. Its context and transaction rules are those of [Database.Write].
func (b *bulk[In, Out]) do(ctx context.Context, in In) (out Out, err error) {
	if _, inTransaction := b.db.db.Execable(ctx).(dbutil.Transaction); inTransaction {
		outs, err := b.run(ctx, []In{in})
		if err != nil {
			return out, err
		}
		return outs[0], nil
	}
	item := &bulkItem[In, Out]{in: in, result: make(chan error, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, item)
	first := len(b.waiting) == 1
	b.mu.Unlock()
	if first && !b.db.committer.background(b.flush) {
		b.finish(b.take(), ErrClosed)
	}
	select {
	case err = <-item.result:
	case <-ctx.Done():
		if item.started.CompareAndSwap(false, true) {
			return out, ctx.Err()
		}
		err = <-item.result
	}
	return item.out, err
}

func (b *bulk[In, Out]) flush() {
	var items []*bulkItem[In, Out]
	taken := false
	err := b.db.committer.Do(context.Background(), func(ctx context.Context) error {
		if !taken {
			items, taken = b.take(), true
		}
		return b.runItems(ctx, items)
	})
	if !taken {
		items = b.take()
	}
	if err == nil || len(items) == 1 || errors.Is(err, ErrClosed) || isWholeFailure(err) {
		b.finish(items, err)
		return
	}
	for i := range items { // one of them is at fault: find out which
		items[i].result <- b.db.committer.Do(context.Background(), func(ctx context.Context) error {
			return b.runItems(ctx, items[i:i+1])
		})
	}
}

func (b *bulk[In, Out]) finish(items []*bulkItem[In, Out], err error) {
	for _, item := range items {
		item.result <- err
	}
}

func (b *bulk[In, Out]) take() []*bulkItem[In, Out] {
	b.mu.Lock()
	waiting := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	live := waiting[:0]
	for _, item := range waiting {
		if item.started.CompareAndSwap(false, true) {
			live = append(live, item)
		}
	}
	return live
}

func (b *bulk[In, Out]) runItems(ctx context.Context, items []*bulkItem[In, Out]) error {
	if len(items) == 0 {
		return nil
	}
	in := make([]In, len(items))
	for i, item := range items {
		in[i] = item.in
	}
	out, err := b.run(ctx, in)
	if err != nil {
		return err
	}
	for i, item := range items {
		item.out = out[i]
	}
	return nil
}

// tuples makes the placeholders of a multi-row VALUES list, "($1,$2),($3,$4)…", with the given number of columns. casts, if
// any, gives an SQL type for each column, for places where PostgreSQL cannot know it.
func tuples(rows, columns int, casts ...string) string {
	var list strings.Builder
	for n := range rows * columns {
		switch {
		case n == 0:
			list.WriteByte('(')
		case n%columns == 0:
			list.WriteString("),(")
		default:
			list.WriteByte(',')
		}
		placeholder := "$" + strconv.Itoa(n+1)
		if len(casts) > 0 {
			placeholder = "CAST(" + placeholder + " AS " + casts[n%columns] + ")"
		}
		list.WriteString(placeholder)
	}
	list.WriteByte(')')
	return list.String()
}

// inPieces calls fn with the values in pieces small enough for one statement.
func inPieces[T any](values []T, fn func(piece []T) error) error {
	for len(values) > 0 {
		piece := values[:min(len(values), maxListed)]
		values = values[len(piece):]
		if err := fn(piece); err != nil {
			return err
		}
	}
	return nil
}

// bulkBySeq is a bulk write that treats all rows alike; query is completed by the list of their numbers, whose placeholders
// begin after those of args.
func bulkBySeq(db *Database, query string, args func() []any) *bulk[int64, struct{}] {
	return &bulk[int64, struct{}]{db: db, run: func(ctx context.Context, seqs []int64) ([]struct{}, error) {
		err := inPieces(seqs, func(piece []int64) error {
			fixed := args()
			list, all := listOf(len(fixed)+1, fixed, piece)
			_, err := db.db.Exec(ctx, query+` AND seq IN (`+list+`)`, all...)
			return err
		})
		return make([]struct{}, len(seqs)), err
	}}
}
