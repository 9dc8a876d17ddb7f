package inbox

import (
	"testing"
	"time"
)

func TestAWorkerEndsWhenItsRoomIsIdleButNotWhenSomethingHasJustCome(t *testing.T) {
	in := &Inbox{workers: make(map[string]*worker)}
	w := &worker{room: "!r", wake: make(chan struct{}, 1)}
	in.workers["!r"] = w
	w.wake <- struct{}{}
	if in.retire(w) || in.workers["!r"] != w {
		t.Error("it ended although something had come")
	}
	<-w.wake
	if !in.retire(w) || len(in.workers) != 0 {
		t.Error("it did not end")
	}
}

func TestACourierDropsWhatIsTooMuchAndEnds(t *testing.T) {
	c := newCourier()
	called := 0
	for n := range courierQueue + 10 {
		if taken := c.hand(func() { called++ }); taken != (n < courierQueue) {
			t.Fatalf("call %d taken: %v", n, taken)
		}
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { c.run(stop); close(ended) }()
	last := make(chan struct{})
	for !c.hand(func() { close(last) }) {
		time.Sleep(time.Millisecond)
	}
	<-last
	if called != courierQueue {
		t.Errorf("called %d", called)
	}
	close(stop)
	<-ended
}
