package chaos_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"matrix-messenger/bridge"
	"matrix-messenger/internal/chaos"
	"matrix-messenger/internal/scenario"
)

func TestMain(m *testing.M) {
	scenario.Main(m, func(ready func()) {
		main := bridge.NewMain()
		started := main.PostStart
		main.PostStart = func() {
			started()
			ready()
		}
		main.InitVersion("", "", "")
		main.Run()
	})
}

// setting is a number from the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// firstSeed is that of the one round that every run of the tests makes.
const firstSeed = 20111222

func TestChaosWithinWhatTheArchiveShowsLosesAndRepeatsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("a round of chaos takes a while")
	}
	rounds := 1
	if os.Getenv("CHAOS") != "" {
		rounds = int(setting(t, "CHAOS_ROUNDS", 100))
	}
	seed := setting(t, "CHAOS_SEED", firstSeed)
	said, bad := 0, 0
	for i := range rounds {
		round := chaos.Round{Seed: seed + uint64(i), Chats: 4, Messages: 60, Faults: 6}
		t.Run("seed "+strconv.FormatUint(round.Seed, 10), func(t *testing.T) {
			began := time.Now()
			report := chaos.Tight(t, round)
			said += report.Said
			t.Logf("%d messages, %v, in doubt and settled: %v", report.Said, time.Since(began).Round(time.Millisecond), report.Metrics)
			if err := report.Err(); err != nil {
				bad++
				t.Errorf("again with CHAOS=1 CHAOS_ROUNDS=1 CHAOS_SEED=%d\n%v", round.Seed, err)
			}
		})
	}
	t.Logf("%d rounds from seed %d on, %d messages, %d rounds with trouble", rounds, seed, said, bad)
}
