package bridge

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// tellsAtOnce is how many rooms are told at a time.
	tellsAtOnce = 16
	// tellTick is the shortest pause before rooms that rested are looked for again.
	tellTick = time.Second
)

// teller has the rooms told in which senders have to learn how their messages ended. A room that is slow, or in which
// nothing can be told at the moment, holds up no other, as long as fewer than tellsAtOnce are slow.
type teller struct {
	c       *Connector
	changed chan struct{} // holds something when a room has begun to rest
	workers sync.WaitGroup

	mu      sync.Mutex
	rooms   map[string]*toTell
	queue   []string // the next one first
	running int      // workers
}

// toTell is a room with somebody to be told.
type toTell struct {
	queued bool
	busy   bool  // a worker is at it
	again  bool  // there was more to tell when a worker was at it
	tries  tries // since it last went well
	until  time.Time
}

// tellSenders tells what there is to tell, whenever it is asked to and at the start, until the bridge stops.
func (c *Connector) tellSenders(ctx context.Context) {
	t := &teller{c: c, changed: make(chan struct{}, 1), rooms: map[string]*toTell{}}
	defer t.workers.Wait()
	for attempt := 0; ; {
		var pause <-chan time.Time
		if err := t.round(ctx); err != nil {
			attempt++
			c.log.Warn().Err(err).Int("attempt", attempt).Msg("It cannot be read whom to tell how a message ended")
			pause = time.After(backoff(attempt))
		} else {
			attempt, pause = 0, t.restOver()
		}
	wait:
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.untold:
				break wait
			case <-pause:
				break wait
			case <-t.changed:
				if attempt == 0 {
					pause = t.restOver()
				}
			}
		}
	}
}

// round queues the rooms in which there is something to tell, in no order, so that none is always the last. An error is the
// database's.
func (t *teller) round(ctx context.Context) error {
	untold, err := t.c.db.Outbox.UntoldRooms(ctx, "")
	if err != nil {
		return err
	}
	rand.Shuffle(len(untold), func(i, j int) { untold[i], untold[j] = untold[j], untold[i] })
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting, now := make(map[string]bool, len(untold)), time.Now()
	for _, room := range untold {
		waiting[room] = true
		r := t.rooms[room]
		if r == nil {
			r = &toTell{}
			t.rooms[room] = r
		}
		switch {
		case r.busy:
			r.again = true
		case !r.queued && !now.Before(r.until):
			t.enqueue(room, r)
		}
	}
	for room, r := range t.rooms {
		if !waiting[room] && !r.queued && !r.busy {
			delete(t.rooms, room) // somebody else has told it
		}
	}
	for range t.queue { // those that run already are at rooms of theirs
		if t.running == tellsAtOnce {
			break
		}
		t.running++
		t.workers.Go(func() { t.work(ctx) })
	}
	return nil
}

// enqueue is called with the lock.
func (t *teller) enqueue(room string, r *toTell) {
	r.queued = true
	t.queue = append(t.queue, room)
}

// work tells in one room after the other until none is queued.
func (t *teller) work(ctx context.Context) {
	for {
		room, sofar, ok := t.next(ctx)
		if !ok {
			return
		}
		t.ended(ctx, room, t.tell(ctx, room, sofar))
	}
}

// next is the room whose turn it is, with what came of it before.
func (t *teller) next(ctx context.Context) (room string, sofar tries, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 || ctx.Err() != nil {
		t.running--
		return "", tries{}, false
	}
	room, t.queue = t.queue[0], t.queue[1:]
	r := t.rooms[room]
	r.queued, r.busy, r.again = false, true, false
	return room, r.tries, true
}

// ended notes how a room's turn ended.
func (t *teller) ended(ctx context.Context, room string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rooms[room]
	r.busy = false
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.tries.failed++
		r.tries.count(err)
		r.until = time.Now().Add(r.tries.pause(err))
		t.c.log.Warn().Err(err).Str("room_id", room).Int("attempt", r.tries.failed).Msg("Senders could not be told how their messages ended")
		select {
		case t.changed <- struct{}{}:
		default:
		}
	case r.again:
		r.tries, r.until = tries{}, time.Time{}
		t.enqueue(room, r)
	default:
		delete(t.rooms, room)
	}
}

// restOver fires when the first of the resting rooms is to be tried again; nil when none rests.
func (t *teller) restOver() <-chan time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var first time.Time
	for _, r := range t.rooms {
		if resting := !r.queued && !r.busy; resting && (first.IsZero() || r.until.Before(first)) {
			first = r.until
		}
	}
	if first.IsZero() {
		return nil
	}
	return time.After(max(tellTick, time.Until(first)))
}
