package bridge

import (
	"context"
	"errors"
	"slices"
	"time"

	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/iq"
)

// readJob is a chat whose archive is to be read.
type readJob struct {
	chat      string
	urgent    bool // somebody waits for it
	running   bool
	held      bool      // the chat waits
	heldUntil time.Time // not longer

	done  chan struct{} // closed at the end; the rest is set by then
	added int
	err   error
}

const (
	// readWorkers is how many archives of one login are read at a time.
	readWorkers = 2
	// archiveReads is how many are read at a time by the whole bridge.
	archiveReads = 64
	// readTimeout bounds the questions about one chat.
	readTimeout = 10 * time.Second
	// holdTimeout is how long a chat waits for its archive.
	holdTimeout = time.Minute
	// maxJobs bounds the queue; a chat beyond it goes on without its archive.
	maxJobs = 1000
)

// enqueue asks for a chat's archive and makes the chat wait. An urgent one goes before those that are not. It returns nil when there are too many. The lock is held.
func (h *history) enqueue(chat string, urgent bool) *readJob {
	job := h.jobs[chat]
	switch {
	case job == nil && len(h.jobs) >= maxJobs:
		return nil
	case job == nil:
		job = &readJob{chat: chat, done: make(chan struct{})}
		if h.jobs == nil {
			h.jobs = map[string]*readJob{}
		}
		h.jobs[chat] = job
		h.insert(job, urgent)
	case urgent:
		h.hurry(job)
	}
	h.hold(job)
	h.startWorkers()
	return job
}

// hurry puts a job before those that nobody waits for. The lock is held.
func (h *history) hurry(job *readJob) {
	if job.running || job.urgent {
		return
	}
	h.queue = slices.DeleteFunc(h.queue, func(other *readJob) bool { return other == job })
	h.insert(job, true)
}

func (h *history) insert(job *readJob, urgent bool) {
	job.urgent = urgent
	at := len(h.queue)
	if urgent {
		if i := slices.IndexFunc(h.queue, func(other *readJob) bool { return !other.urgent }); i >= 0 {
			at = i
		}
	}
	h.queue = slices.Insert(h.queue, at, job)
}

// hold makes a chat wait, for a bounded time. The lock is held.
func (h *history) hold(job *readJob) {
	if job.held {
		return
	}
	job.held, job.heldUntil = true, time.Now().Add(holdTimeout)
	h.cl.inbound.holdChat(job.chat)
	if h.sweep == nil {
		h.sweep = time.AfterFunc(holdTimeout, h.sweepHolds)
	}
}

func (h *history) release(job *readJob) {
	if job.held {
		job.held = false
		h.cl.inbound.releaseChat(job.chat)
		h.cl.outbox.kick()
	}
}

// sweepHolds lets chats go on that have waited long enough. They stay in the queue: what was missed is then shown late.
func (h *history) sweepHolds() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	var next time.Time
	for _, job := range h.jobs {
		switch {
		case !job.held || job.running: // a running one ends by itself
		case !now.Before(job.heldUntil):
			h.release(job)
		case next.IsZero() || job.heldUntil.Before(next):
			next = job.heldUntil
		}
	}
	h.sweep = nil
	if len(h.jobs) > 0 {
		if next.IsZero() {
			next = now.Add(holdTimeout)
		}
		h.sweep = time.AfterFunc(next.Sub(now), h.sweepHolds)
	}
}

// startWorkers makes sure that what waits is worked on while there is a session: each job at one of the bridge's turns.
// The lock is held.
func (h *history) startWorkers() {
	if h.ctx == nil || h.cl.session() == nil {
		return // the state Online starts them
	}
	for h.reading+h.asked < readWorkers && h.asked < len(h.queue) {
		if !h.cl.c.archiveTurns.take(h.readNext) {
			h.askLater()
			return
		}
		h.asked++
	}
}

// askLater asks for a turn again in a while. The lock is held.
func (h *history) askLater() {
	if h.asksLater {
		return
	}
	h.asksLater = true
	time.AfterFunc(turnPause, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asksLater = false
		h.startWorkers()
	})
}

// turnPause is the wait before a turn is asked for again when too many wait for theirs.
const turnPause = 10 * time.Second

// readNext reads the archive of the chat whose turn it is.
func (h *history) readNext() {
	ctx, session, job := h.next()
	if job == nil {
		return
	}
	defer h.work.Done()
	added, err := h.read(ctx, session, job.chat)
	h.finish(ctx, session, job, added, err)
}

// storePause is the wait before an archive is read again whose answer could not be stored, as when a disk is full. What the session missed before is in the archive alone.
const storePause = time.Second

// next takes the next job, if there is one and a session for it.
func (h *history) next() (ctx context.Context, session *xmppside.Session, job *readJob) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked--
	session = h.cl.session()
	if h.ctx == nil || session == nil || isOver(session) || len(h.queue) == 0 {
		return nil, nil, nil // the state Online of the next session goes on
	}
	job = h.queue[0]
	h.queue = h.queue[1:]
	h.reading++
	h.work.Add(1) // not after stop, which takes the context away first
	job.running = true
	h.hold(job)
	return h.ctx, session, job
}

func isOver(session *xmppside.Session) bool {
	select {
	case <-session.Done():
		return true
	default:
		return false
	}
}

// finish ends a job and lets its chat go on. When the session ended over it, or the next one has begun, it waits for that one, and when the database did not take what was read, for its next
// turn.
func (h *history) finish(ctx context.Context, session *xmppside.Session, job *readJob, added int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	job.running = false
	h.reading--
	again := h.session != session.ID()
	if err != nil {
		again = isOver(session) || errors.Is(err, errNotStored)
	}
	if again && ctx.Err() == nil {
		h.queue = slices.Insert(h.queue, 0, job)
		if errors.Is(err, errNotStored) {
			h.cl.log.Warn().Err(err).Msg("What the archive showed could not be stored and is read again")
			time.AfterFunc(storePause, h.goOn)
		} else {
			h.startWorkers()
		}
		return
	}
	defer h.startWorkers()
	known := h.chat(job.chat)
	if err == nil {
		known.read = session.ID()
		if known.active.IsZero() {
			known.active = time.Now()
		}
	} else {
		known.retry = time.Now().Add(retryRead)
		if !errors.Is(err, errUndecided) {
			h.cl.log.Debug().Err(err).Msg("The archive of a chat could not be read")
		}
	}
	h.end(job, added, err)
	h.noteAnswer(err)
}

// goOn is startWorkers without the lock.
func (h *history) goOn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.startWorkers()
}

func (h *history) end(job *readJob, added int, err error) {
	delete(h.jobs, job.chat)
	job.added, job.err = added, err
	h.release(job)
	close(job.done)
}

// noteAnswer leaves an archive alone that is refused or silent, so that nobody waits for it again and again. The lock is held.
func (h *history) noteAnswer(err error) {
	switch {
	case err == nil || iq.Answered(err) && !iq.Refused(err):
		h.silent = 0
		return
	case errors.Is(err, context.DeadlineExceeded):
		if h.silent++; h.silent < 2 {
			return
		}
	case !iq.Refused(err):
		return
	}
	h.silent = 0
	h.resting = time.Now().Add(silence)
	h.cl.log.Info().Err(err).Msg("The service does not give its archive")
	for _, job := range h.queue {
		h.end(job, 0, errSilent)
	}
	h.queue = nil
}

// dropJobs ends everything that waits. The lock is held.
func (h *history) dropJobs(err error) {
	for _, job := range h.jobs {
		h.end(job, 0, err)
	}
	h.queue = nil
	if h.sweep != nil {
		h.sweep.Stop()
		h.sweep = nil
	}
}
