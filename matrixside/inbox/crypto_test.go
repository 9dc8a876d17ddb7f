package inbox

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// scriptedCrypto answers each wait for a key from a list, and notes what it is asked.
type scriptedCrypto struct {
	matrix.Crypto
	mu    sync.Mutex
	comes []bool
	calls []string
}

func (s *scriptedCrypto) WaitForSession(_ context.Context, _ id.RoomID, _ id.SenderKey, _ id.SessionID, timeout time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "wait "+timeout.String())
	if len(s.comes) == 0 {
		return false
	}
	comes := s.comes[0]
	s.comes = s.comes[1:]
	return comes
}

func (s *scriptedCrypto) RequestSession(_ context.Context, _ id.RoomID, _ id.SenderKey, _ id.SessionID, user id.UserID, device id.DeviceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "ask "+user.String()+" "+device.String())
}

func TestTheWorkerWaitsForAKeyAsLongAsBridgev2WouldInTheBackground(t *testing.T) {
	const short = 3 * time.Second
	//lint:ignore SA1019 older clients still name their device
	content := &event.EncryptedEventContent{DeviceID: "PHONE"}
	evt := &event.Event{Sender: "@ann:hs", Content: event.Content{Parsed: content}}
	for _, test := range []struct {
		name  string
		comes []bool
		want  bool
		calls []string
	}{
		{"a key that is on its way", []bool{true}, true, []string{"wait 3s"}},
		{"a key that has to be asked for", []bool{false, true}, true, []string{"wait 3s", "ask @ann:hs PHONE", "wait 22s"}},
		{"a key that never comes", nil, false, []string{"wait 3s", "ask @ann:hs PHONE", "wait 22s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inner := &scriptedCrypto{comes: test.comes}
			patient := newPatientCrypto(inner)
			patient.gap = 0
			ctx := withEvent(t.Context(), evt)
			if got := patient.WaitForSession(ctx, "!r", "key", "session", short); got != test.want {
				t.Errorf("came: %v", got)
			}
			if !slices.Equal(inner.calls, test.calls) {
				t.Errorf("did %q", inner.calls)
			}
			if test.want {
				return
			}
			inner.calls = nil
			patient.RequestSession(ctx, "!r", "key", "session", "@ann:hs", "PHONE") // what bridgev2 does next, in the background
			if patient.WaitForSession(ctx, "!r", "key", "session", backgroundWait) || len(inner.calls) != 0 {
				t.Errorf("in the background it did %q", inner.calls)
			}
			if patient.WaitForSession(ctx, "!r", "key", "session", short); !slices.Equal(inner.calls, []string{"wait 0s"}) {
				t.Errorf("for the next event with the missing key it did %q", inner.calls)
			}
		})
	}
}

func TestWaitsOfOthersForKeysAreLeftAlone(t *testing.T) {
	inner := &scriptedCrypto{}
	patient := newPatientCrypto(inner)
	patient.WaitForSession(t.Context(), "!r", "key", "session", backgroundWait)
	patient.RequestSession(t.Context(), "!r", "key", "session", "@ann:hs", "PHONE")
	if !slices.Equal(inner.calls, []string{"wait 22s", "ask @ann:hs PHONE"}) {
		t.Errorf("did %q", inner.calls)
	}
}

func TestTheMemoryOfMissingKeysIsBounded(t *testing.T) {
	patient := newPatientCrypto(&scriptedCrypto{})
	for n := range 3 * missingMax {
		patient.noteMissing(id.SessionID(rune(n)))
		if len(patient.missing) > missingMax {
			t.Fatalf("%d keys are remembered", len(patient.missing))
		}
	}
}
