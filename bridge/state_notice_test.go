package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2/status"
)

// toldOf are notices about a session whose texts arrive here; while away is closed to it, the homeserver does not answer.
type toldOf struct {
	*stateNotices
	t     *testing.T
	texts chan string
	away  chan struct{} // closed when the homeserver is back
	tried chan struct{} // something for each attempt that came to nothing
}

func notices(t *testing.T, which string) *toldOf {
	cl := newTestHistory(t).cl
	cl.c.stateNotices, cl.c.noticeTurns = which, newTurns(1)
	told := &toldOf{stateNotices: cl.notices, t: t, texts: make(chan string, 100), tried: make(chan struct{}, 100)}
	told.after = time.Hour
	told.send = func(_ context.Context, notice *stateNotice) error {
		if told.away != nil {
			select {
			case <-told.away:
			default:
				told.tried <- struct{}{}
				return errors.New("the homeserver is away")
			}
		}
		if notice.key == "" {
			return errors.New("a repeat would be told twice")
		}
		told.texts <- fmt.Sprintf("%s: %s", notice.kind, notice.text)
		return nil
	}
	t.Cleanup(told.stop)
	return told
}

func (told *toldOf) are(states ...status.BridgeState) *toldOf {
	for _, state := range states {
		told.on(state)
	}
	return told
}

// says awaits the next text.
func (told *toldOf) says(words ...string) {
	told.t.Helper()
	select {
	case text := <-told.texts:
		for _, word := range words {
			if !strings.Contains(text, word) {
				told.t.Errorf("the user is told %q, without %q", text, word)
			}
		}
	case <-time.After(20 * time.Second):
		told.t.Fatalf("nobody is told about %v", words)
	}
}

// nothingElse checks that nothing is told after what was told: the last one is awaited.
func (told *toldOf) nothingElse() {
	told.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		told.mu.Lock()
		busy := told.busy
		told.mu.Unlock()
		if !busy {
			break
		}
		if time.Now().After(deadline) {
			told.t.Fatal("somebody is still being told")
		}
	}
	select {
	case text := <-told.texts:
		told.t.Errorf("the user is also told %q", text)
	default:
	}
}

var (
	connecting = status.BridgeState{StateEvent: status.StateConnecting}
	connected  = status.BridgeState{StateEvent: status.StateConnected}
	lost       = status.BridgeState{StateEvent: status.StateTransientDisconnect, Error: "lost", Message: "The bridge reconnects."}
	busy       = status.BridgeState{StateEvent: status.StateTransientDisconnect, Error: "busy", Message: "The service is busy."}
	stopped    = status.BridgeState{StateEvent: status.StateUnknownError, Error: "conflict", Message: "Close the other one."}
	signedOut  = status.BridgeState{StateEvent: status.StateBadCredentials, Error: "refused", Message: "Please sign in again."}
)

func TestWhatNeedsTheUserIsToldAtOnceAndOnceAndItsEndToo(t *testing.T) {
	for name, state := range map[string]status.BridgeState{"signed out": signedOut, "stopped": stopped} {
		t.Run(name, func(t *testing.T) {
			told := notices(t, noticesErrors).are(connecting, connected, state, state)
			told.says("m.text", "me@messenger.example", state.Message)
			told.nothingElse()
			told.are(connecting, state) // somebody has asked for another attempt
			told.says("m.text", state.Message)
			told.are(connecting, connected, connected)
			told.says("m.notice", "again")
			told.nothingElse()
		})
	}
}

func TestASessionThatComesBackSoonIsNotSpokenOf(t *testing.T) {
	told := notices(t, noticesErrors).are(connecting, connected, lost, connecting, connected)
	told.overdue() // of a timer that fired at that moment
	told.nothingElse()
}

func TestASessionThatIsAwayForLongIsToldWithItsLastReason(t *testing.T) {
	told := notices(t, noticesErrors)
	told.are(connected, lost, busy)
	told.overdue()
	told.says("m.text", "some minutes", busy.Message)
	told.are(lost, busy, lost)
	told.overdue() // there is no timer any more
	told.nothingElse()
	told.are(connected)
	told.says("m.notice", "again")
	told.nothingElse()
}

func TestTheTimerOfALostSessionRuns(t *testing.T) {
	told := notices(t, noticesErrors)
	told.after = time.Millisecond
	told.are(connected, lost)
	told.says("some minutes")
}

func TestWhileTheHomeserverIsAwayOnlyTheNewestIsKept(t *testing.T) {
	told := notices(t, noticesErrors)
	told.away = make(chan struct{})
	told.are(signedOut)
	<-told.tried
	told.are(connecting, stopped)
	close(told.away)
	told.says(stopped.Message)
	told.nothingElse()
}

func TestWhatIsOverBeforeItWasTriedIsNotTold(t *testing.T) {
	told := notices(t, noticesErrors)
	told.cl.c.noticeTurns = newTurns(0) // nobody's turn comes
	told.are(signedOut, connected)
	told.mu.Lock()
	defer told.mu.Unlock()
	if told.next != nil || told.trouble {
		t.Errorf("%+v is still to be told", told.next)
	}
}

func TestNoNoticesAndAllOfThem(t *testing.T) {
	states := []status.BridgeState{connecting, connected, connected, lost, connecting, connected, signedOut}
	for _, which := range []string{"none", ""} {
		told := notices(t, which).are(states...)
		told.nothingElse()
	}
	told := notices(t, noticesAll)
	for i, words := range []string{"being connected", "is connected to", "", "lost its connection", "being connected", "again", "signed out"} {
		told.are(states[i])
		if words != "" {
			told.says(words)
		}
	}
	told.nothingElse()
}
