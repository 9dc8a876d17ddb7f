package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"matrix-messenger/e2e/world"
)

// TestChaosWithRealPrograms kills the bridge, the homeserver and the service in turns of chance while both sides talk, never more at a time than the archive shows. With
// CHAOS it does so CHAOS_ROUNDS times, from the seed CHAOS_SEED on.
func TestChaosWithRealPrograms(t *testing.T) {
	rounds, seed := 4, uint64(20111222)
	if os.Getenv("CHAOS") != "" {
		rounds = 25
		if n, err := strconv.Atoi(os.Getenv("CHAOS_ROUNDS")); err == nil {
			rounds = n
		}
		if n, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64); err == nil {
			seed = n
		}
	}
	for done := 0; done < rounds; done += 8 {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { chaosRounds(t, seed, min(8, rounds-done)) })
		seed++
	}
}

// chaosRounds plays some rounds in one world, which is as many as its patience lasts for.
func chaosRounds(t *testing.T, seed uint64, rounds int) {
	random := rand.New(rand.NewPCG(seed, 0))
	w, ctx := newWorld(t, world.Setup{})
	room, mary := chatWithMary(t, ctx, w)
	atMary, inRoom := []string(nil), bodiesOf(room, mary)
	var heard []string // by Mary's program, at services that have ended
	number := 0
	text := func(from string) string {
		number++
		return fmt.Sprintf("%s %06d", from, number)
	}
	maryWrites := func(n int) {
		for range n {
			inRoom = append(inRoom, text("Mary"))
			must(t, w.Mary().SendMessage(world.UserMail, inRoom[len(inRoom)-1]))
		}
	}
	johnWrites := func(n int) {
		for range n {
			atMary = append(atMary, text("John"))
			say(t, ctx, room, atMary[len(atMary)-1])
		}
	}
	// johnIsHeard waits until Mary has what John wrote. What Dendrite has not pushed to the bridge when it is killed it may push minutes later and after newer events, which nobody
	// behind it can tell.
	johnIsHeard := func() {
		_, err := w.Mary().WaitReceived(ctx, len(atMary)-len(heard))
		must(t, err)
	}
	for range rounds {
		maryWrites(random.IntN(3))
		johnWrites(random.IntN(3))
		fault := random.IntN(4)
		t.Logf("fault %d after %d messages", fault, number)
		switch fault {
		case 0: // the bridge
			w.Bridge.Kill()
			maryWrites(random.IntN(4))
			johnWrites(random.IntN(4))
			must(t, w.Bridge.Start(ctx))
		case 1: // the homeserver
			johnIsHeard()
			w.Home.Kill()
			maryWrites(random.IntN(5))
			must(t, w.Home.Start(ctx))
			johnWrites(random.IntN(4))
		case 2: // the service
			mary := w.Mary()
			w.Service.CutSessions()
			must(t, w.StopService())
			for _, message := range mary.Received() {
				heard = append(heard, message.Body)
			}
			johnWrites(random.IntN(4))
			must(t, w.StartService(ctx))
			maryWrites(random.IntN(4))
		case 3: // both ends of the bridge's work
			johnIsHeard()
			w.Home.Kill()
			w.Bridge.Kill()
			maryWrites(random.IntN(5))
			must(t, w.Home.Start(ctx))
			must(t, w.Bridge.Start(ctx))
			johnWrites(random.IntN(3))
		}
		maryWrites(1)
		johnWrites(1)
		bodies, err := room.WaitMessagesFrom(ctx, mary, len(inRoom))
		must(t, err)
		received, err := w.Mary().WaitReceived(ctx, len(atMary)-len(heard))
		must(t, err)
		got := slices.Clone(heard)
		for _, message := range received {
			got = append(got, message.Body)
		}
		if !slices.Equal(bodies, inRoom) || !slices.Equal(got, atMary) {
			t.Fatalf("the room shows\n%q\ninstead of\n%q\nMary got\n%q\ninstead of\n%q", bodies, inRoom, got, atMary)
		}
	}
	t.Logf("%d messages, each once and in order", number)
}
