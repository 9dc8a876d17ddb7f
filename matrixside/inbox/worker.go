package inbox

import (
	"context"
	"math/rand/v2"
	"time"

	"matrix-messenger/database"
)

const (
	readAhead  = 32 // rows of a room read at once, and handled before other rooms get the slot
	retryFirst = 100 * time.Millisecond
	retryMax   = 10 * time.Second
)

// worker handles the events of one room, in order. It exists from the room's first event until the room has been idle for a
// while.
type worker struct {
	room string
	wake chan struct{} // buffered: something has come
}

// wake lets a room's worker look at its rows, and starts it if there is none.
func (in *Inbox) wake(room string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.isReady || in.stopped {
		return // the rows are found by wakeAll, or at the next start
	}
	w := in.workers[room]
	if w == nil {
		w = &worker{room: room, wake: make(chan struct{}, 1)}
		in.workers[room] = w
		in.running.Go(func() { in.work(w) })
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (in *Inbox) work(w *worker) {
	idle := time.NewTimer(in.cfg.IdleTimeout)
	defer idle.Stop()
	var after int64
	for {
		select {
		case <-in.stopping:
			return
		case <-w.wake:
			for in.workOnce(w.room, &after) {
			}
			idle.Reset(in.cfg.IdleTimeout)
		case <-idle.C:
			if in.retire(w) {
				return
			}
			idle.Reset(in.cfg.IdleTimeout)
		}
	}
}

// retire takes an idle worker out, unless something has just come for it.
func (in *Inbox) retire(w *worker) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(w.wake) > 0 {
		return false
	}
	delete(in.workers, w.room)
	return true
}

// workOnce handles the next rows of a room when a slot is free, and reports whether there may be more.
func (in *Inbox) workOnce(room string, after *int64) (more bool) {
	select {
	case in.slots <- struct{}{}:
	case <-in.stopping:
		return false
	}
	defer func() { <-in.slots }()
	var rows []database.MatrixEvent
	if !in.persist("read the events of a room", func(ctx context.Context) (err error) {
		rows, err = in.cfg.DB.MatrixInbox.NextForRoom(ctx, room, *after, readAhead)
		return err
	}) {
		return false
	}
	for _, row := range rows {
		if in.isStopping() || !in.handle(row) {
			return false
		}
		*after = row.Seq
	}
	return len(rows) == readAhead
}

// withoutSlot waits for something with the room's slot free for another room.
func (in *Inbox) withoutSlot(wait func()) {
	<-in.slots // ours, or as good
	defer func() { in.slots <- struct{}{} }()
	wait()
}

// rest pauses, no longer than until the inbox stops.
func (in *Inbox) rest(length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-in.stopping:
	}
}

// persist repeats a database operation until it succeeds, with growing pauses. It reports false when the inbox stops before.
func (in *Inbox) persist(what string, operation func(ctx context.Context) error) bool {
	for pause := retryFirst; ; pause = min(2*pause, retryMax) {
		err := operation(in.ctx)
		if err == nil {
			return true
		}
		if in.isStopping() {
			return false
		}
		in.cfg.Log.Error().Err(err).Dur("retry_in", pause).Msg("The database failed to " + what)
		in.rest(pause/2 + rand.N(pause))
		if in.isStopping() {
			return false
		}
	}
}
