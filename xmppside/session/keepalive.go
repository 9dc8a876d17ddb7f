package session

import (
	"errors"
	"math/rand/v2"
	"time"
)

var errNoAnswer = errors.New("a ping was not answered in time")

// keepalive sends a ping after a time without having written, or without having read (messenger-protocol.md 5.4). Any
// answer to it means life; none in time means that the connection is dead. It is a timer and no goroutine. The stream's
// outbound lock guards it.
type keepalive struct {
	timer    *time.Timer
	interval time.Duration
	last     time.Time // last write
	ping     string    // the id of the ping under way, empty for none
	pinged   time.Time // when it was written, zero while it is queued
}

// startKeepalive begins to watch.
func (s *Stream) startKeepalive() {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	k := &s.out.alive
	k.last = time.Now()
	k.renew(s.opts.Keepalive)
	k.timer = time.AfterFunc(k.interval, s.beat)
}

func (k *keepalive) stop() {
	if k.timer != nil {
		k.timer.Stop()
	}
}

// renew picks the next interval: up to a fifth less than the setting, so that sessions that began together do not stay
// together.
func (k *keepalive) renew(interval time.Duration) {
	k.interval = interval - rand.N(interval/5+1)
}

// due is how long it is until the next ping.
func (k *keepalive) due(now time.Time, quiet time.Duration) time.Duration {
	return k.interval - max(now.Sub(k.last), quiet)
}

// wrote notes that something was written.
func (s *Stream) wrote(o outgoing) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	k := &s.out.alive
	k.last = time.Now()
	if o.ping {
		k.pinged = k.last
	}
}

// beat is the timer's.
func (s *Stream) beat() {
	s.out.mu.Lock()
	if s.out.ended || s.out.closing {
		s.out.mu.Unlock()
		return
	}
	k := &s.out.alive
	if k.ping != "" && !k.pinged.IsZero() && time.Since(k.pinged) >= s.opts.PingTimeout {
		s.out.mu.Unlock()
		s.end(&Failure{Cause: Unanswered, Err: errNoAnswer})
		return
	}
	if k.ping == "" && k.due(time.Now(), s.conn.SinceReceived()) <= 0 {
		s.ping()
	}
	s.schedule()
	s.out.mu.Unlock()
}

// schedule sets the timer to when there may be something to do. The lock is held.
func (s *Stream) schedule() {
	k := &s.out.alive
	if k.timer == nil {
		return
	}
	wait := s.opts.PingTimeout
	switch {
	case k.ping == "":
		wait = k.due(time.Now(), s.conn.SinceReceived())
	case !k.pinged.IsZero():
		wait -= time.Since(k.pinged)
	}
	k.timer.Reset(max(time.Millisecond, wait))
}

// ping queues one, beyond the queue's bound if need be. The lock is held.
func (s *Stream) ping() {
	id, err := s.table.add(&request{to: s.opts.Domain, answered: s.pong, ended: func() {}})
	if err != nil {
		return // the stream has ended, or so many requests are open that their answers show life
	}
	s.out.alive.ping, s.out.alive.pinged = id, time.Time{}
	s.out.queue = append(s.out.queue, outgoing{data: appendIQ("get", id, s.opts.Domain, []byte(pingPayload)), ping: true})
	s.startWriter()
}

// pong is called by the reader with the answer to a ping.
func (s *Stream) pong([]byte) error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.out.alive.ping = ""
	s.out.alive.renew(s.opts.Keepalive)
	if !s.out.ended && !s.out.closing {
		s.schedule()
	}
	return nil
}

// Nudge makes the stream prove that it is alive, by a ping right now.
func (s *Stream) Nudge() {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.out.alive.ping == "" && !s.out.ended && !s.out.closing {
		s.ping()
		s.schedule()
	}
}
