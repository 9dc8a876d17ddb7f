package bridge

import "sync"

// work is the goroutines that the bridge waits for when it stops. Unlike with a plain WaitGroup, something may still want to begin while it is being waited for:
// a message that is handed over at that moment, say. It is not begun any more.
type work struct {
	mu    sync.Mutex
	ended bool
	group sync.WaitGroup
}

// Go runs f, unless the end has begun; it tells which.
func (w *work) Go(f func()) (begun bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.group.Go(f)
	}
	return !w.ended
}

// Wait begins the end and returns when everything has ended.
func (w *work) Wait() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.group.Wait()
}
