package bridge

import (
	"context"
	"testing"
	"time"
)

func TestAListThatFailsIsAskedForAgainInTheSameSession(t *testing.T) {
	h := newTestHistory(t)
	h.mu.Lock()
	h.askListLater(context.DeadlineExceeded)
	timer := h.list.again
	h.mu.Unlock()
	if timer == nil {
		t.Fatal("nobody will ask again")
	}
	h.begin(8, time.Now())
	if timer.Stop() || h.list.failures != 0 {
		t.Error("the next session, which asks by itself, inherits the failures of the one before")
	}
}

func TestTheWaitBeforeAListIsAskedForAgainGrowsToABound(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: firstListPause, 2: 2 * firstListPause, 7: longestListPause, 1000: longestListPause} {
		l := listing{failures: failures}
		if got := l.pause(-time.Second); got < want/2 || got > want {
			t.Errorf("%v after %d failures", got, failures)
		}
		if got := l.pause(silence); got < silence+want/2 {
			t.Errorf("%v after %d failures, while the archive is left alone", got, failures)
		}
	}
}
