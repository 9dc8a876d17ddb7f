package session

import (
	"errors"
	"math/rand/v2"
	"time"
)

const closingTag = "</stream:stream>"

var errNoAnswer = errors.New("a ping was not answered in time")

// write is the writer. It owns the writing side of the connection and the keepalive: after a time without having
// written, or without having read, a ping (messenger-protocol.md 5.4). Any answer to it means life; none in time means
// that the connection is dead.
func (s *Stream) write() {
	defer s.written.Done()
	k := newKeeper(s.opts.Keepalive)
	timer := time.NewTimer(k.interval)
	defer timer.Stop()
	pong := make(chan struct{}, 1)
	var pingID string
	var pinged time.Time
	defer func() {
		if pingID != "" {
			s.table.drop(pingID)
		}
	}()
	ping := func() bool {
		if pingID != "" {
			return true // one is under way
		}
		id, err := s.table.add(&request{
			to:       s.opts.Domain,
			answered: func(bool, []byte) error { pong <- struct{}{}; return nil },
			ended:    func() {},
		})
		if err != nil {
			return !errors.Is(err, ErrEnded)
		}
		pingID, pinged = id, time.Now()
		k.wrote(pinged)
		return s.put(outgoing{data: appendIQ("get", id, s.opts.Domain, []byte(pingPayload))})
	}
	for {
		select {
		case <-s.done:
			return
		case <-s.closer:
			s.finish()
			return
		case <-s.latest.ready:
			if !s.putLatest() {
				return
			}
			k.wrote(time.Now())
			continue
		case o := <-s.queue:
			if !s.putLatest() || !s.put(o) {
				return
			}
			k.wrote(time.Now())
			continue // the timer finds out by itself
		case <-pong:
			pingID = ""
			k.renew(s.opts.Keepalive)
		case <-s.nudge:
			if !ping() {
				return
			}
		case <-timer.C:
			if pingID != "" && time.Since(pinged) >= s.opts.PingTimeout {
				s.end(&Failure{Cause: Unanswered, Err: errNoAnswer})
				return
			}
			if pingID == "" && k.due(time.Now(), s.conn.SinceReceived()) <= 0 && !ping() {
				return
			}
		}
		if pingID != "" {
			timer.Reset(max(time.Millisecond, s.opts.PingTimeout-time.Since(pinged)))
		} else {
			timer.Reset(max(time.Millisecond, k.due(time.Now(), s.conn.SinceReceived())))
		}
	}
}

// keeper says when a ping is due.
type keeper struct {
	interval time.Duration
	last     time.Time // last write
}

func newKeeper(interval time.Duration) *keeper {
	k := &keeper{last: time.Now()}
	k.renew(interval)
	return k
}

// renew picks the next interval: up to a fifth less than the setting, so that sessions that began together do not stay
// together.
func (k *keeper) renew(interval time.Duration) {
	k.interval = interval - rand.N(interval/5+1)
}

func (k *keeper) wrote(now time.Time) { k.last = now }

// due is how long it is until the next ping.
func (k *keeper) due(now time.Time, quiet time.Duration) time.Duration {
	return k.interval - max(now.Sub(k.last), quiet)
}

// put writes one element: one write, one TLS record. It says whether the stream goes on.
func (s *Stream) put(o outgoing) bool {
	s.note(o)
	err := s.conn.SetWriteDeadline(time.Now().Add(s.opts.WriteTimeout))
	if err == nil {
		_, err = s.conn.Write(o.data)
	}
	if err == nil {
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

func (s *Stream) putLatest() bool {
	stanza := s.latest.take()
	return stanza == nil || s.put(outgoing{data: stanza})
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
		select {
		case o := <-s.queue:
			s.note(o)
			if _, err := s.conn.Write(o.data); err != nil {
				return
			}
			continue
		default:
		}
		break
	}
	_, _ = s.conn.Write([]byte(closingTag)) // nothing depends on it any more
}
