package chaos_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

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
	play(t, 100, chaos.Round{Chats: 4, Messages: 60, Faults: 6}, chaos.Tight)
}

func TestChaosBeyondTheArchiveIsToldAndMayRepeatWhatIsInDoubt(t *testing.T) {
	play(t, 30, chaos.Round{Chats: 4, Faults: 4}, func(t testing.TB, round chaos.Round) chaos.Report { return chaos.Wide(t, round, false) })
}

func TestChaosBeyondTheArchiveIsToldAndRepeatsNothingWhenDoubtsAreReported(t *testing.T) {
	play(t, 30, chaos.Round{Chats: 4, Faults: 4}, func(t testing.TB, round chaos.Round) chaos.Report { return chaos.Wide(t, round, true) })
}

// play makes one round, or with CHAOS many: CHAOS_ROUNDS of each kind, from the seed CHAOS_SEED on.
func play(t *testing.T, many uint64, round chaos.Round, kind func(testing.TB, chaos.Round) chaos.Report) {
	if testing.Short() {
		t.Skip("a round of chaos takes a while")
	}
	rounds := uint64(1)
	if os.Getenv("CHAOS") != "" {
		rounds = setting(t, "CHAOS_ROUNDS", many)
	}
	seed := setting(t, "CHAOS_SEED", firstSeed)
	var mu sync.Mutex // rounds go side by side, as all scenarios do
	said, bad, settled := 0, 0, map[string]float64{}
	t.Cleanup(func() {
		t.Logf("%d rounds from seed %d on, %d messages, confirmation lost and settled: %v, %d rounds with trouble", rounds, seed, said, settled, bad)
	})
	for i := range rounds {
		round := round
		round.Seed = seed + i
		t.Run("seed "+strconv.FormatUint(round.Seed, 10), func(t *testing.T) {
			report := kind(t, round)
			t.Logf("%d messages; confirmation lost and settled: %v; faults: %s", report.Said, report.Metrics, strings.Join(report.Struck, ", "))
			mu.Lock()
			defer mu.Unlock()
			said += report.Said
			for outcome, n := range report.Metrics {
				settled[outcome] += n
			}
			if err := report.Err(); err != nil {
				bad++
				t.Errorf("the same trouble again: CHAOS=1 CHAOS_ROUNDS=1 CHAOS_SEED=%d go test -run %s\n%v", round.Seed, strings.Split(t.Name(), "/")[0], err)
			}
		})
	}
}
