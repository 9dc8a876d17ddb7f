package bridge

import "sync"

// turns lets a bounded number of tasks run at a time, in the order in which they were asked for. Whoever waits costs a
// place in a queue, and neither a goroutine nor a timer: after a break all accounts ask at the same moment.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting []func()
	longest int // the queue
}

// mostWaiting is how many tasks may wait for a turn. It is several for each of ten thousand accounts, the most that the bridge
// is measured with.
const mostWaiting = 50_000

func newTurns(atATime int) *turns { return &turns{free: atATime, longest: mostWaiting} }

// take runs a task when it is its turn, in a goroutine of its own. It returns at once, and reports false when too many wait
// already: then the task is not run. It ends soon by itself, also when whoever asked for it is gone by then.
func (t *turns) take(task func()) (taken bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free == 0 {
		if len(t.waiting) >= t.longest {
			return false
		}
		t.waiting = append(t.waiting, task)
		return true
	}
	t.free--
	go t.run(task)
	return true
}

func (t *turns) run(task func()) {
	for task != nil {
		task()
		task = t.next()
	}
}

// next is the task that has waited longest; without any the place is free.
func (t *turns) next() (task func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.free++
		t.waiting = nil
		return nil
	}
	task, t.waiting[0] = t.waiting[0], nil
	t.waiting = t.waiting[1:]
	return task
}
