package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
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

func (s *scriptedCrypto) Decrypt(_ context.Context, evt *event.Event) (*event.Event, error) {
	s.calls = append(s.calls, "decrypt "+evt.ID.String())
	return nil, matrix.NoSessionFound
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

func (s *scriptedCrypto) RequestSession(ctx context.Context, _ id.RoomID, _ id.SenderKey, _ id.SessionID, user id.UserID, device id.DeviceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, bounded := ctx.Deadline(); !bounded {
		s.calls = append(s.calls, "for ever")
	}
	s.calls = append(s.calls, "ask "+user.String()+" "+device.String())
}

func TestAKeyIsWaitedForAndAskedForOnce(t *testing.T) {
	//lint:ignore SA1019 older clients still name their device
	content := &event.EncryptedEventContent{DeviceID: "PHONE", SessionID: "session"}
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
			inner, waits := &scriptedCrypto{comes: test.comes}, newKeyWaits()
			if got := waits.await(t.Context(), inner, evt, 3*time.Second, 22*time.Second); got != test.want {
				t.Errorf("came: %v", got)
			}
			if !slices.Equal(inner.calls, test.calls) {
				t.Errorf("did %q", inner.calls)
			}
			inner.calls = nil
			again := waits.await(t.Context(), inner, evt, 3*time.Second, 22*time.Second)
			if !test.want && (again || len(inner.calls) > 0) {
				t.Errorf("for the next event with the missing key it did %q", inner.calls)
			} else if test.want && len(inner.calls) == 0 {
				t.Error("a key that came once was not waited for")
			}
		})
	}
}

func TestAWaitThatWasInterruptedSaysNothingOfTheKey(t *testing.T) {
	waits := newKeyWaits()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	evt := &event.Event{Content: event.Content{Parsed: &event.EncryptedEventContent{SessionID: "session"}}}
	waits.await(ctx, &scriptedCrypto{}, evt, time.Second, time.Second)
	if waits.isMissing("session") {
		t.Error("the key counts as missing")
	}
}

func TestOnlyWhatTheInboxHasDecryptedIsHandedToTheLibrary(t *testing.T) {
	inner := &scriptedCrypto{}
	handed := readCrypto{inner}
	clear := &event.Event{ID: "$mine"}
	ctx := withClear(t.Context(), clear)
	if got, err := handed.Decrypt(ctx, &event.Event{ID: "$mine"}); got != clear || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := handed.Decrypt(ctx, &event.Event{ID: "$other"}); err == nil {
		t.Error("one event was read as another")
	}
	if _, err := handed.Decrypt(t.Context(), &event.Event{ID: "$mine"}); err == nil {
		t.Error("an event was read that nobody has decrypted")
	}
	if !slices.Equal(inner.calls, []string{"decrypt $other", "decrypt $mine"}) {
		t.Errorf("decrypted %q", inner.calls)
	}
}

func TestTheMemoryOfMissingKeysIsBounded(t *testing.T) {
	waits := newKeyWaits()
	for n := range 3 * missingMax {
		waits.noteMissing(id.SessionID(rune(n)))
		if len(waits.missing) > missingMax {
			t.Fatalf("%d keys are remembered", len(waits.missing))
		}
	}
}

func TestWhatAFailedDecryptionSaysOfTheEvent(t *testing.T) {
	for _, test := range []struct {
		err  error
		want Unreadable
	}{
		{crypto.ErrNoSessionFound, KeysMissing},
		{crypto.ErrGroupSessionWithheld, KeysWithheld},
		{crypto.ErrDuplicateMessageIndex, KeyUsedTwice},
		{olm.ErrUnknownMessageIndex, KeysTooLate},
		{olm.ErrBadMAC, BadlySealed},
		{crypto.ErrWrongRoom, BadlySealed},
		{crypto.ErrRatchetError, OwnFault},
		{errors.New("database is locked"), OwnFault},
	} {
		if got := verdict(fmt.Errorf("failed to decrypt: %w", test.err)); got != test.want {
			t.Errorf("%v: %s instead of %s", test.err, got, test.want)
		}
	}
}
