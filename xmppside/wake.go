package xmppside

import (
	"context"
	"sync"
	"time"
)

const (
	// wakeTick is how often the two clocks are compared.
	wakeTick = 5 * time.Second
	// wakeJump is how far the wall clock must have run ahead of the monotonic one to count as sleep.
	wakeJump = 20 * time.Second
)

// Timers stand still while a machine sleeps, but the service and every router on the way have gone on: connections that
// look fine are dead, and waits that look long are over. One goroutine per service compares the wall clock with the
// monotonic one, and after a jump makes every session prove that it lives and every waiting account try at once (within
// the limit on attempts). A clock that is merely set costs one ping per session.
func (s *Service) watchSleep(ctx context.Context) {
	ticker := time.NewTicker(wakeTick)
	defer ticker.Stop()
	start, wallStart := time.Now(), s.opts.Now().Round(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ran, wall := time.Since(start), s.opts.Now().Round(0).Sub(wallStart)
		start, wallStart = time.Now(), s.opts.Now().Round(0)
		if wall-ran < wakeJump {
			continue
		}
		s.opts.Log.Info().Dur("slept", wall-ran).Msg("The clock jumped; checking all sessions")
		for _, a := range s.accounts() {
			a.wake()
		}
	}
}

func (s *Service) accounts() []*Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Account, 0, len(s.running))
	for a := range s.running {
		list = append(list, a)
	}
	return list
}

// enter registers a running account; the first one starts the watch for sleep, and the last one that leaves ends it.
func (s *Service) enter(a *Account) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[a] = struct{}{}
	if s.stopWake == nil {
		ctx, cancel := context.WithCancel(context.Background())
		var ended sync.WaitGroup
		ended.Go(func() { s.watchSleep(ctx) })
		s.stopWake = func() {
			cancel()
			ended.Wait()
		}
	}
	return func() {
		s.mu.Lock()
		delete(s.running, a)
		var stop func()
		if len(s.running) == 0 {
			stop, s.stopWake = s.stopWake, nil
		}
		s.mu.Unlock()
		if stop != nil {
			stop()
		}
	}
}
