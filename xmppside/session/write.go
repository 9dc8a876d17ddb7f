package session

import (
	"sync"
	"time"
)

const closingTag = "</stream:stream>"

// outbound is what waits to be written. A goroutine writes while there is something to write: an idle stream has ten
// thousand neighbours, and needs no second stack.
type outbound struct {
	mu      sync.Mutex
	queue   []outgoing
	latest  []byte        // a stanza of which only the newest matters
	room    chan struct{} // closed when there is room in the queue; nil while nobody waits for it
	writing bool          // the writer runs, or has given up
	closing bool          // what is queued and the closing tag are the last to be written
	ended   bool          // nothing is written any more
	alive   keepalive
}

// offer puts an element into the queue, or says what to wait for.
func (s *Stream) offer(o outgoing) (room <-chan struct{}, err error) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	switch {
	case s.out.closing || s.out.ended:
		return nil, ErrEnded
	case len(s.out.queue) < queueLength:
		s.out.queue = append(s.out.queue, o)
		s.startWriter()
		return nil, nil
	case s.out.room == nil:
		s.out.room = make(chan struct{})
	}
	return s.out.room, nil
}

// startWriter makes sure that the writer runs. The lock is held.
func (s *Stream) startWriter() {
	if s.out.writing || s.out.ended {
		return
	}
	s.out.writing = true
	s.written.Add(1)
	go s.write()
}

// next takes the next element out. Without one the writer ends, after the closing tag if it is time for that.
func (s *Stream) next() (o outgoing, ok, closing bool) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	switch {
	case s.out.ended:
		return o, false, false
	case s.out.closing:
		return o, false, true
	case s.out.latest != nil:
		o.data, s.out.latest = s.out.latest, nil
		return o, true, false
	case len(s.out.queue) > 0:
		return s.out.take(), true, false
	}
	s.out.writing = false
	return o, false, false
}

// take takes the oldest element of the queue. The lock is held.
func (q *outbound) take() outgoing {
	o := q.queue[0]
	q.queue[0] = outgoing{}
	if q.queue = q.queue[1:]; len(q.queue) == 0 {
		q.queue = nil // an idle stream keeps no room for a queue
	}
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	return o
}

// end lets nothing begin any more.
func (q *outbound) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.alive.stop()
}

// write is the writer. It owns the writing side of the connection while it runs.
func (s *Stream) write() {
	defer s.written.Done()
	for {
		o, ok, closing := s.next()
		switch {
		case closing:
			s.finish()
			return
		case !ok || !s.put(o):
			return
		}
	}
}

// put writes one element: one write, one TLS record. It says whether the stream goes on.
func (s *Stream) put(o outgoing) bool {
	s.note(o)
	err := s.conn.SetWriteDeadline(time.Now().Add(s.opts.WriteTimeout))
	if err == nil {
		_, err = s.conn.Write(o.data)
	}
	if err == nil {
		s.wrote(o)
		return true
	}
	if isTimeout(err) {
		s.end(&Failure{Cause: Stuck, Err: err})
		return false
	}
	// The reader often knows better why: a stream error may be on its way. It gets a moment to find it.
	s.conn.endBy(time.Now().Add(time.Second))
	moment := time.NewTimer(time.Second)
	defer moment.Stop()
	select {
	case <-s.done:
	case <-moment.C: // the reader may itself wait for a place in the queue
		s.end(&Failure{Cause: Lost, Err: err})
	}
	return false
}

// note keeps the book on messages, before the write: a service may end the stream while the write is still returning.
func (s *Stream) note(o outgoing) {
	if o.message != "" {
		s.suspect.Store(&o.message)
	}
	if o.mark != nil {
		o.mark.Store(s.suspect.Load())
	}
}

// finish writes what is queued and the closing tag, and gives the service a while to say goodbye.
func (s *Stream) finish() {
	// The deadline first: a service that reads nothing must not hold up the end.
	s.conn.endBy(time.Now().Add(s.opts.CloseTimeout))
	deadline := time.Now().Add(s.opts.CloseTimeout)
	_ = s.conn.SetWriteDeadline(deadline)
	for {
		o, ok := s.last()
		if !ok {
			break
		}
		s.note(o)
		if _, err := s.conn.Write(o.data); err != nil {
			return
		}
	}
	_, _ = s.conn.Write([]byte(closingTag)) // nothing depends on it any more
}

// last takes what was queued before the end.
func (s *Stream) last() (outgoing, bool) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if len(s.out.queue) == 0 {
		return outgoing{}, false
	}
	return s.out.take(), true
}
