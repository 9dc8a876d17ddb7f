package bridge

import (
	"runtime/debug"
	"testing"
	"time"
)

func TestMemoryIsGivenBackWhenItIsCalmAndThereIsMuch(t *testing.T) {
	const mega = 1 << 20
	idle := memoryUse{allocated: 1000 * mega, live: 100 * mega, objects: 105 * mega, free: 2 * mega}
	for name, test := range map[string]struct {
		change      func(*memoryUse)
		calm, worth bool
	}{
		"nothing happened":         {func(*memoryUse) {}, true, false},
		"some pings":               {func(m *memoryUse) { m.allocated += 5 * mega }, true, false},
		"garbage of a storm":       {func(m *memoryUse) { m.objects += 80 * mega }, true, true},
		"freed and kept":           {func(m *memoryUse) { m.free += 80 * mega }, true, true},
		"a storm":                  {func(m *memoryUse) { m.allocated += 200 * mega; m.objects += 80 * mega }, false, true},
		"a collection is going on": {func(m *memoryUse) { m.live += 50 * mega }, true, false},
	} {
		now := idle
		test.change(&now)
		if got := now.calmSince(idle, 5*time.Second); got != test.calm {
			t.Errorf("%s: calm %t", name, got)
		}
		if got := now.worthGivingBack(); got != test.worth {
			t.Errorf("%s: worth it %t", name, got)
		}
	}
}

func TestTheRuntimeSaysHowMuchMemoryIsInUse(t *testing.T) {
	use := readMemoryUse()
	if use.allocated == 0 || use.objects == 0 || use.stacks == 0 {
		t.Errorf("the runtime does not know the numbers by these names any more: %+v", use)
	}
}

func TestGarbageIsKeptSmallDuringAStormOnly(t *testing.T) {
	percent := 100
	p := newStormPercent("")
	p.set = func(now int) (before int) { before, percent = percent, now; return before }
	for _, step := range []struct{ signingIn, want int }{
		{0, 100}, {stormSize - 1, 100}, {stormSize, stormGarbage}, {10 * stormSize, stormGarbage}, {stormSize - 1, 100}, {stormSize, stormGarbage}, {0, 100}, {0, 100},
	} {
		if p.follow(step.signingIn); percent != step.want {
			t.Errorf("%d sign in: %d percent instead of %d", step.signingIn, percent, step.want)
		}
	}
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	set := newStormPercent("80")
	set.follow(stormSize)
	if now := debug.SetGCPercent(100); now != 100 {
		t.Errorf("the administrator's percentage was changed to %d", now)
	}
}
