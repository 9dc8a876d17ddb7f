package scenario

import (
	"fmt"
	"testing"
)

// Step is one step of a scenario that is played.
type Step struct {
	Name string
	Do   func(*Scenario)
	// Whole keeps the bridge from being killed right before the step, for one that only makes sense after its forerunner.
	Whole bool
}

// Play runs the steps, and after them NothingElseWasSaid: once as they are, and once for each place between two steps with the
// bridge killed (kill -9) and started again there. With -short only the undisturbed run is made.
func Play(t *testing.T, opts Options, steps ...Step) {
	t.Run("undisturbed", func(t *testing.T) { play(t, opts, steps, -1) })
	if testing.Short() {
		return
	}
	for i := range steps {
		if i+1 < len(steps) && steps[i+1].Whole {
			continue
		}
		t.Run(fmt.Sprintf("killed after step %d, %s", i+1, steps[i].Name), func(t *testing.T) { play(t, opts, steps, i) })
	}
}

func play(t *testing.T, opts Options, steps []Step, killAfter int) {
	s := Start(t, opts)
	for i, step := range steps {
		t.Logf("step %d: %s", i+1, step.Name)
		step.Do(s)
		if i == killAfter {
			s.killAndStart()
		}
	}
	s.NothingElseWasSaid()
}

// killAndStart kills the bridge and starts it again; without a homeserver it cannot become ready, and is not waited for. A bridge that
// a step has stopped stays so.
func (s *Scenario) killAndStart() {
	s.t.Helper()
	if !s.bridge.running() {
		return
	}
	s.KillBridge()
	s.LaunchBridge()
	if !s.hsDown {
		s.BridgeIsReady()
	}
}
