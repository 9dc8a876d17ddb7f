package bridge

import (
	"context"
	"math/rand/v2"
	"time"
	"unicode/utf8"
)

// backoff is the wait before the given attempt (from 1) at something that failed for a passing reason: doubling from half a second to a minute, half of it random so that
// what failed together does not come back together.
func backoff(attempt int) time.Duration {
	full := min(500*time.Millisecond<<min(max(attempt-1, 0), 10), time.Minute)
	return full/2 + rand.N(full/2+1)
}

// sleep waits and reports whether the context is still good.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// clip shortens a text that a peer sent to at most n bytes, for a log or a notice.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
