package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// signInTimeout is how long a number of sessions may take to sign in.
func (b *bench) signInTimeout(n int) time.Duration {
	return 2*time.Minute + time.Duration(n/50)*time.Second
}

// stage is a service and a bridge for many accounts.
type stage struct {
	b       *bench
	n       int
	setup   serviceSetup
	service *service
	in      *installation
	bridge  *program
	log     *os.File
}

// scale measures what depends on the number of sessions. Start and storm are only measured with the last number.
func (b *bench) scale(n int, last bool) (err error) {
	dir, err := b.folder(fmt.Sprintf("%d-sessions", n))
	if err != nil {
		return err
	}
	log, err := b.log(dir)
	if err != nil {
		return err
	}
	defer log.Close()
	s := &stage{b: b, n: n, log: log, setup: serviceSetup{Crowd: newCrowd(n, b.contacts), CAFile: filepath.Join(dir, "ca.pem")}}
	defer s.close()
	b.say("starting the service with %d accounts and %d people on their lists", n, s.setup.Crowd.Pool)
	if s.service, err = startService(s.setup, log); err != nil {
		return err
	}
	s.setup.Listen = s.service.Addr
	if s.in, err = install(dir, section{"address": s.service.Addr, "tls": section{"ca_file": s.setup.CAFile}, "connects_per_second": b.connects}); err != nil {
		return err
	}
	if err = s.prepare(); err != nil {
		return err
	}
	if err = s.start(last && b.wants("start")); err != nil {
		return err
	}
	if b.wants("memory") {
		if err = s.memory(); err != nil {
			return err
		}
	}
	if last && b.wants("storm") {
		return s.storm()
	}
	return nil
}

func (s *stage) close() {
	if err := s.bridge.stop(); err != nil {
		s.b.say("stopping the bridge: %v", err)
	}
	if s.service != nil {
		s.service.kill()
	}
	if s.b.out != "" && s.in != nil {
		if text, err := os.ReadFile(s.in.file("bridge.log")); err == nil {
			_ = os.WriteFile(filepath.Join(s.b.out, fmt.Sprintf("bridge-%d.log", s.n)), text, 0o600) // a convenience
		}
	}
	s.in.close()
}

// prepare starts the bridge without anybody, for what it takes by itself, and then writes the sign-ins.
func (s *stage) prepare() (err error) {
	if s.b.idle == 0 {
		if s.bridge, err = s.in.run(s.b.bridge); err != nil {
			return err
		}
		if err = s.bridge.up(); err != nil {
			return err
		}
		if err = quiet(s.bridge.pid(), 0, time.Minute); err != nil {
			return err
		}
		if s.b.idle, err = residentBytes(s.bridge.pid()); err != nil {
			return err
		}
		s.b.add(row{what: "resident, nobody signed in", measured: mib(float64(s.b.idle))})
		if err = s.bridge.stop(); err != nil {
			return err
		}
	}
	s.b.say("writing %d sign-ins into the database", s.n)
	return s.in.seed(s.setup.Crowd)
}

// start starts the bridge with everybody and waits for the sessions.
func (s *stage) start(report bool) (err error) {
	known, err := s.attempts()
	if err != nil {
		return err
	}
	if s.bridge, err = s.in.run(s.b.bridge); err != nil {
		return err
	}
	var first time.Time
	err = s.bridge.until("the first session", startTimeout, func() (bool, error) {
		now, err := s.attempts()
		if len(now) > len(known) {
			first = now[len(known)]
		}
		return !first.IsZero(), err
	})
	if err != nil {
		return err
	}
	if err = s.bridge.online(s.n, s.b.signInTimeout(s.n)); err != nil {
		return err
	}
	online := time.Now()
	if report {
		s.b.add(row{
			what: fmt.Sprintf("start with %d logins until the first session is being opened", s.n), budget: "1 s",
			measured: fmt.Sprintf("%.2f s", first.Sub(s.bridge.started).Seconds()),
			notes:    fmt.Sprintf("all signed in after %.0f s, at %d attempts/s", online.Sub(s.bridge.started).Seconds(), s.b.connects),
		})
	}
	return nil
}

func (s *stage) attempts() (times []time.Time, err error) {
	err = s.service.call("attempts", none{}, &times)
	return times, err
}

// memory measures idle sessions, first with contacts who are offline, then with all of them there.
func (s *stage) memory() error {
	peak, err := peakBytes(s.bridge.pid())
	if err != nil {
		return err
	}
	yardstick, err := idleTLS(s.n, s.log)
	if err != nil {
		return err
	}
	offline, err := s.settled("offline", yardstick, fmt.Sprintf("peak while signing in %s", kib(float64(peak-s.b.idle)/float64(s.n))))
	if err != nil {
		return err
	}
	if err = s.service.call("online", none{}, nil); err != nil {
		return err
	}
	s.b.say("the contacts are coming online")
	if err = quiet(s.bridge.pid(), s.n, 10*time.Minute); err != nil {
		return err
	}
	online, err := s.settled("online", yardstick, "")
	if err == nil {
		s.b.say("presence of %d contacts: %s", s.b.contacts, kib(online-offline))
	}
	return err
}

// settled reports the resident memory of a session after a while of nothing.
func (s *stage) settled(presence string, yardstick float64, notes string) (float64, error) {
	if err := quiet(s.bridge.pid(), s.n, 5*time.Minute); err != nil {
		return 0, err
	}
	began, err := s.in.numbers()
	if err != nil {
		return 0, err
	}
	time.Sleep(s.b.settle)
	rss, err := residentBytes(s.bridge.pid())
	if err != nil {
		return 0, err
	}
	numbers, err := s.in.numbers()
	if err != nil {
		return 0, err
	}
	if err = s.b.keepProfile(s.in, "heap?gc=1", fmt.Sprintf("heap-%d-%s.pprof", s.n, presence)); err != nil {
		return 0, err
	}
	if err = s.b.keepProfile(s.in, "goroutine", fmt.Sprintf("goroutine-%d-%s.pprof", s.n, presence)); err != nil {
		return 0, err
	}
	heap, err := s.in.heapByOwner()
	if err != nil {
		return 0, err
	}
	after, err := s.in.numbers()
	if err != nil {
		return 0, err
	}
	each := func(bytes float64) string { return fmt.Sprintf("%.1f", bytes/float64(s.n)/1024) }
	split := fmt.Sprintf("stacks %s, live heap %s (%s), garbage and holes %s, freed but kept %s, %.2f goroutines",
		each(numbers["go_memstats_stack_inuse_bytes"]), each(after["go_memstats_heap_alloc_bytes"]), perSession(heap, nil, s.n),
		each(numbers["go_memstats_heap_inuse_bytes"]-after["go_memstats_heap_alloc_bytes"]),
		each(numbers["go_memstats_heap_idle_bytes"]-numbers["go_memstats_heap_released_bytes"]),
		numbers["go_goroutines"]/float64(s.n))
	if s.b.settle > 0 {
		const allocated = "go_memstats_alloc_bytes_total"
		split += fmt.Sprintf("; %s of garbage a minute", each((numbers[allocated]-began[allocated])/s.b.settle.Minutes()))
	}
	if notes != "" {
		split += "; " + notes
	}
	mine := float64(rss-s.b.idle) / float64(s.n)
	s.b.add(row{
		what: fmt.Sprintf("resident per session, %d of them, %d contacts %s", s.n, s.b.contacts, presence), budget: "48 KiB",
		measured: kib(mine), yardstick: fmt.Sprintf("idle TLS %s, %s", kib(yardstick), times(mine, yardstick)), notes: split,
	})
	return mine, nil
}
