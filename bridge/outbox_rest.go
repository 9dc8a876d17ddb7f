package bridge

import (
	"sync"
	"time"
)

// chatRests are the chats of one account in which nothing is written for a moment: because the service has asked to have a
// message of theirs later, or because it cannot be read where their messages go to. What stands behind it waits as well: the
// order is kept. A chat leaves it when its time is over, so it holds no more chats than have had that within the longest time.
type chatRests struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// begin lets a chat rest, and calls over when it may go on.
func (r *chatRests) begin(chat string, pause time.Duration, over func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[string]time.Time{}
	}
	until := time.Now().Add(pause)
	if !until.After(r.until[chat]) {
		return // it rests for longer already
	}
	r.until[chat] = until
	time.AfterFunc(pause, func() {
		if r.end(chat, until) {
			over()
		}
	})
}

// end lets a chat go on, unless it was told meanwhile to rest for longer.
func (r *chatRests) end(chat string, until time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.until[chat].Equal(until) {
		return false
	}
	delete(r.until, chat)
	return true
}

// now lists the chats that rest.
func (r *chatRests) now() (chats []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for chat := range r.until {
		chats = append(chats, chat)
	}
	return chats
}
