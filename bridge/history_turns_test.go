package bridge

import (
	"slices"
	"testing"
	"time"
)

func TestTasksTakeTurnsInOrderAndNeverMoreThanAllowed(t *testing.T) {
	turns := newTurns(2)
	began, goOn := make(chan int, 10), make(chan struct{})
	for i := range 6 {
		turns.take(func() {
			began <- i
			<-goOn
		})
	}
	wait := func() (i int) {
		t.Helper()
		select {
		case i = <-began:
		case <-time.After(10 * time.Second):
			t.Fatal("a task that waits is not run")
		}
		return i
	}
	if first := []int{wait(), wait()}; !slices.Contains(first, 0) || !slices.Contains(first, 1) {
		t.Errorf("the first two to run are %v", first)
	}
	for want := 2; want < 6; want++ {
		if len(began) > 0 {
			t.Fatal("more run at a time than may")
		}
		goOn <- struct{}{}
		if got := wait(); got != want {
			t.Errorf("the next one is %d instead of %d", got, want)
		}
	}
	close(goOn)
	last := make(chan struct{})
	turns.take(func() { close(last) })
	select {
	case <-last:
	case <-time.After(10 * time.Second):
		t.Fatal("a place that was given back is not free")
	}
}

func TestOnlySoManyWaitForTheirTurn(t *testing.T) {
	turns := newTurns(1)
	turns.longest = 2
	goOn, ran := make(chan struct{}), make(chan int, 3)
	turns.take(func() { <-goOn })
	for i := range 3 {
		if taken := turns.take(func() { ran <- i }); taken != (i < 2) {
			t.Errorf("task %d may wait: %v", i, taken)
		}
	}
	close(goOn)
	for want := range 2 {
		select {
		case got := <-ran:
			if got != want {
				t.Errorf("task %d runs instead of %d", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a task that waits is not run")
		}
	}
}
