package xmppside

import (
	"math/rand/v2"
	"time"
)

// The waits of messenger-protocol.md 12.2.
const (
	firstWait   = 2 * time.Second
	longestWait = 5 * time.Minute
	// stableAfter is how long a session must have been signed in for the waits to start over.
	stableAfter = time.Minute
	// aWhile is how long a session must have been signed in for the end of its token to be an ordinary one.
	aWhile = 20 * time.Second
	// peaceAfter is how long it must have been for a conflict to count as settled.
	peaceAfter = time.Hour
)

// wait is how long to wait before the attempt that follows the n-th failure, n from 1: at random up to 2 s first, then
// doubling, with the upper half of each wait at random, so that accounts that failed together do not come back together.
func wait(n int) time.Duration {
	if n <= 1 {
		return rand.N(firstWait)
	}
	base := longestWait
	if n < 9 { // 2 s doubled eight times is beyond the longest wait
		base = min(longestWait, firstWait<<(n-1))
	}
	return base/2 + rand.N(base/2+1)
}

// longest is the wait of RetryLongest.
func longest() time.Duration {
	return longestWait - rand.N(longestWait/5+1)
}
