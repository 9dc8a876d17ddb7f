package bridge

import "sync"

// turns lets a bounded number of tasks run at a time, in the order in which they were asked for. Whoever waits costs a
// place in a queue, and neither a goroutine nor a timer: after a break all accounts ask at the same moment.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting []func()
}

func newTurns(atATime int) *turns { return &turns{free: atATime} }

// take runs a task when it is its turn, in a goroutine of its own. It returns at once. The task ends soon by itself,
// also when whoever asked for it is gone by then.
func (t *turns) take(task func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free == 0 {
		t.waiting = append(t.waiting, task)
		return
	}
	t.free--
	go t.run(task)
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
