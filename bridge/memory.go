package bridge

import (
	"context"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"

	"matrix-messenger/xmppside"
)

// After a storm of sign-ins, or an hour in which everybody talks, the runtime keeps memory for the next one: garbage up to the size of what lives, freed pages that the system has
// not got back, and stacks that were deep once, each of which a collection makes smaller by half. For a program whose ten thousand sessions mostly wait, that is as much as all
// sessions together. So when it has become calm, memory is given back.

const (
	// calmTick is how often the state of the memory is looked at.
	calmTick = 5 * time.Second
	// calmPause is the shortest time between two times of giving back: a collection of ten thousand sessions takes some tenths of a second.
	// While nothing happens each of them makes 7 KiB of garbage a minute.
	calmPause = 30 * time.Second
	// calmRounds is how many collections follow each other while stacks get smaller.
	calmRounds = 4
	// worthwhile is how much must be there to be given back, in bytes, and as a part of what lives.
	worthwhile     = 8 << 20
	worthwhilePart = 10 // one tenth
	// calmRate is what may be allocated in a second for the time to count as calm: so many bytes, or this part of what lives.
	calmRate     = 1 << 20
	calmRatePart = 50
)

// memoryUse is what the runtime says, in bytes.
type memoryUse struct {
	allocated uint64 // since the start of the program
	live      uint64 // after the last collection
	objects   uint64 // live and garbage
	free      uint64 // kept for later
	stacks    uint64
}

var memoryNames = []string{
	"/gc/heap/allocs:bytes", "/gc/heap/live:bytes", "/memory/classes/heap/objects:bytes", "/memory/classes/heap/free:bytes", "/memory/classes/heap/stacks:bytes",
}

func readMemoryUse() memoryUse {
	samples := make([]runtimemetrics.Sample, len(memoryNames))
	for i, name := range memoryNames {
		samples[i].Name = name
	}
	runtimemetrics.Read(samples)
	value := func(i int) uint64 {
		if samples[i].Value.Kind() != runtimemetrics.KindUint64 {
			return 0 // a runtime that does not know the name
		}
		return samples[i].Value.Uint64()
	}
	return memoryUse{value(0), value(1), value(2), value(3), value(4)}
}

// calmSince tells whether little was allocated since an earlier look.
func (m memoryUse) calmSince(earlier memoryUse, passed time.Duration) bool {
	rate := float64(m.allocated-earlier.allocated) / passed.Seconds()
	return rate <= float64(max(calmRate, m.live/calmRatePart))
}

// worthGivingBack tells whether there is much to give back.
func (m memoryUse) worthGivingBack() bool {
	garbage := m.objects - min(m.live, m.objects)
	return garbage+m.free > max(worthwhile, m.live/worthwhilePart)
}

// giveMemoryBack watches the memory until ctx ends.
func (c *Connector) giveMemoryBack(ctx context.Context) {
	percent := newStormPercent(os.Getenv("GOGC"))
	defer percent.follow(0)
	before, at := readMemoryUse(), time.Now()
	for percent.follow(c.signingIn()); sleep(ctx, calmTick); percent.follow(c.signingIn()) {
		now := readMemoryUse()
		calm := now.calmSince(before, time.Since(at))
		before, at = now, time.Now()
		if !calm || !now.worthGivingBack() {
			continue
		}
		c.collect(ctx)
		if !sleep(ctx, calmPause-calmTick) {
			return
		}
		before, at = readMemoryUse(), time.Now()
	}
}

// collect gives back what is not needed, more than once while stacks become smaller by it.
func (c *Connector) collect(ctx context.Context) {
	first := readMemoryUse()
	last := first
	for range calmRounds {
		debug.FreeOSMemory()
		now := readMemoryUse()
		if now.stacks >= last.stacks-last.stacks/20 || !sleep(ctx, time.Second) {
			break
		}
		last = now
	}
	now := readMemoryUse()
	c.log.Debug().Uint64("live", now.live).Uint64("stacks", now.stacks).
		Int64("given_back", int64(first.objects+first.free+first.stacks)-int64(now.objects+now.free+now.stacks)).Msg("Memory was given back to the system")
}

const (
	// stormSize is how many accounts must be on their way in at the same time for it to count as a storm.
	stormSize = 100
	// stormGarbage is how much garbage there may be then, in percent of what lives.
	stormGarbage = 10
)

// stormPercent keeps garbage small while many accounts sign in at once. What a session keeps for days is allocated among what its sign-in needs for a second; the more of that lies
// around, the more pages are held later by a few objects each. With the runtime's own 100 percent it was as much as lives. It costs collections, of a second or two of sign-ins each.
type stormPercent struct {
	set    func(percent int) (before int)
	storm  bool
	normal int
}

// newStormPercent leaves the percentage alone when the administrator has set it.
func newStormPercent(gogc string) *stormPercent {
	if gogc != "" {
		return &stormPercent{set: func(percent int) int { return percent }}
	}
	return &stormPercent{set: debug.SetGCPercent}
}

// follow is told how many accounts are signing in.
func (p *stormPercent) follow(signingIn int) {
	switch storm := signingIn >= stormSize; {
	case storm && !p.storm:
		p.normal, p.storm = p.set(stormGarbage), true
	case !storm && p.storm:
		p.set(p.normal)
		p.storm = false
	}
}

// signingIn is how many accounts have no session and want one.
func (c *Connector) signingIn() int {
	n := 0
	for _, client := range c.allClients() {
		client.mu.Lock()
		if client.running != nil && client.state.State != xmppside.Online && client.state.State != xmppside.SignedOut {
			n++
		}
		client.mu.Unlock()
	}
	return n
}
