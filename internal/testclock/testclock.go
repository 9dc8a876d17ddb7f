// Package testclock is a clock for tests: it stands still until a test moves it.
package testclock

import (
	"sync/atomic"
	"time"
)

// Clock may be used from several goroutines.
type Clock struct{ at atomic.Int64 }

// New is a clock that shows the given time.
func New(at time.Time) *Clock {
	c := new(Clock)
	c.at.Store(at.UnixNano())
	return c
}

// Now is the time that it shows, in UTC.
func (c *Clock) Now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

// Advance moves it forward.
func (c *Clock) Advance(by time.Duration) { c.at.Add(int64(by)) }
