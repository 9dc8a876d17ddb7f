package bridge

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the wait before the given attempt (from 1) at something that failed for a passing reason: doubling from half a
// second to a minute, half of it random so that what failed together does not come back together.
func backoff(attempt int) time.Duration { return backoffUpTo(attempt, time.Minute) }

// backoffUpTo is backoff with another longest wait, of no more than nine hours.
func backoffUpTo(attempt int, longest time.Duration) time.Duration {
	full := min(500*time.Millisecond<<min(max(attempt-1, 0), 16), longest)
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
