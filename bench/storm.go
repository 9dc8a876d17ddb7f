package main

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// storm takes the service away from all sessions and brings it back. Meanwhile a door that shuts at once stands in its place and counts who knocks.
func (s *stage) storm() error {
	if err := quiet(s.bridge.pid(), s.n, 5*time.Minute); err != nil {
		return err
	}
	before, err := residentBytes(s.bridge.pid())
	if err != nil {
		return err
	}
	calm, err := s.in.numbers()
	if err != nil {
		return err
	}
	watch := s.watch()
	gone := time.Now()
	s.service.kill()
	door, err := openDoor(s.setup.Listen)
	if err != nil {
		return err
	}
	time.Sleep(s.b.outage)
	knocks := door.shut()
	if s.service, err = startService(s.setup, s.log); err != nil {
		return err
	}
	back := time.Now()
	s.b.say("the service is back after %.0f s", back.Sub(gone).Seconds())
	if err = s.bridge.online(s.n, s.b.signInTimeout(s.n)+5*time.Minute); err != nil {
		return err
	}
	recovered := time.Now()
	most := watch()
	let, err := s.attempts()
	if err != nil {
		return err
	}
	after, err := s.settledBytes()
	if err != nil {
		return err
	}
	s.b.add(row{
		what: fmt.Sprintf("reconnect storm, %d sessions: attempts/s at most", s.n), budget: fmt.Sprint(s.b.connects),
		measured: fmt.Sprintf("%s while away, %s when back", rates(knocks), rates(let)),
		notes: fmt.Sprintf("all back %.0f s after the service; %d attempts for %d sessions; goroutines %.1f a session before, %.1f at most; resident %s a session before, %s at most, %s afterwards",
			recovered.Sub(back).Seconds(), len(let), s.n, calm["go_goroutines"]/float64(s.n), most.goroutines/float64(s.n),
			kib(float64(before-s.b.idle)/float64(s.n)), kib(float64(most.resident-s.b.idle)/float64(s.n)), kib(float64(after-s.b.idle)/float64(s.n))),
	})
	return nil
}

// settledBytes is the resident memory after a while of nothing.
func (s *stage) settledBytes() (int64, error) {
	if err := quiet(s.bridge.pid(), s.n, 5*time.Minute); err != nil {
		return 0, err
	}
	time.Sleep(s.b.settle)
	return residentBytes(s.bridge.pid())
}

// extremes are the largest values that were seen.
type extremes struct {
	goroutines float64
	resident   int64
}

// watch looks at the bridge every second until the result is asked for.
func (s *stage) watch() func() extremes {
	var most extremes
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			if numbers, err := s.in.numbers(); err == nil {
				most.goroutines = max(most.goroutines, numbers["go_goroutines"])
			}
			if rss, err := residentBytes(s.bridge.pid()); err == nil {
				most.resident = max(most.resident, rss)
			}
			select {
			case <-ticker.C:
			case <-done:
				return
			}
		}
	}()
	return func() extremes {
		close(done)
		<-ended
		return most
	}
}

// rates says how many there were in the busiest second and, as attempts that leave one after the other may arrive together, in a second of the busiest five.
func rates(times []time.Time) string {
	return fmt.Sprintf("%d (over five seconds %.0f)", busiest(times, time.Second), float64(busiest(times, 5*time.Second))/5)
}

// busiest is the most times within any stretch of this length.
func busiest(times []time.Time, window time.Duration) int {
	slices.SortFunc(times, time.Time.Compare)
	most, from := 0, 0
	for i, t := range times {
		for t.Sub(times[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// door accepts connections and closes them.
type door struct {
	listener net.Listener
	ended    sync.WaitGroup
	times    []time.Time
}

func openDoor(address string) (*door, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	d := &door{listener: listener}
	d.ended.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			d.times = append(d.times, time.Now())
			_ = conn.Close()
		}
	})
	return d, nil
}

// shut ends it and says when somebody knocked.
func (d *door) shut() []time.Time {
	_ = d.listener.Close()
	d.ended.Wait()
	return d.times
}
