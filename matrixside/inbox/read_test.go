package inbox_test

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
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/matrixside/inbox"
)

// keyring is an encryption that seals nothing: what it lacks is the key.
type keyring struct {
	matrix.Crypto
	mu      sync.Mutex
	keys    map[id.SessionID]bool
	changed chan struct{}            // closed and replaced when a key has come
	asked   chan id.SessionID        // keys that were asked for
	fails   map[string][]error       // by what the message says: how its next decryptions fail
	trust   map[string]id.TrustState // by what the message says; default: verified
	tries   map[string]int           // by what the message says
}

func newKeyring() *keyring {
	return &keyring{
		keys: make(map[id.SessionID]bool), changed: make(chan struct{}), asked: make(chan id.SessionID, 10),
		fails: make(map[string][]error), trust: make(map[string]id.TrustState), tries: make(map[string]int),
	}
}

func (k *keyring) Init(context.Context) error                      { return nil }
func (k *keyring) Start()                                          {}
func (k *keyring) Stop()                                           {}
func (k *keyring) HandleMemberEvent(context.Context, *event.Event) {}

func (k *keyring) Decrypt(_ context.Context, evt *event.Event) (*event.Event, error) {
	content := evt.Content.AsEncrypted()
	text := string(content.MegolmCiphertext)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tries[text]++
	if fails := k.fails[text]; len(fails) > 0 {
		k.fails[text] = fails[1:]
		if fails[0] == nil {
			panic("no such index")
		}
		return nil, fails[0]
	}
	if !k.keys[content.SessionID] {
		return nil, matrix.NoSessionFound
	}
	trust, known := k.trust[text]
	if !known {
		trust = id.TrustStateVerified
	}
	clear := *evt
	clear.Type = event.EventMessage
	clear.Content = event.Content{Raw: map[string]any{}, Parsed: &event.MessageEventContent{MsgType: event.MsgText, Body: text}}
	clear.Mautrix.WasEncrypted, clear.Mautrix.TrustState = true, trust
	return &clear, nil
}

func (k *keyring) WaitForSession(ctx context.Context, _ id.RoomID, _ id.SenderKey, session id.SessionID, timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		k.mu.Lock()
		has, changed := k.keys[session], k.changed
		k.mu.Unlock()
		if has {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (k *keyring) RequestSession(_ context.Context, _ id.RoomID, _ id.SenderKey, session id.SessionID, _ id.UserID, _ id.DeviceID) {
	k.asked <- session
}

// comes lets a key come.
func (k *keyring) comes(session id.SessionID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[session] = true
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *keyring) triesOf(text string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tries[text]
}

// unread collects what is told of events that cannot be read.
type unread struct {
	mu   sync.Mutex
	told []string
}

func (u *unread) tell(_ context.Context, evt *event.Event, why inbox.Unreadable, _ error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told = append(u.told, fmt.Sprintf("%s: %s", evt.ID, why))
}

func (u *unread) all() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.told)
}

func because(evt id.EventID, why inbox.Unreadable) string { return fmt.Sprintf("%s: %s", evt, why) }

// sealed sends an encrypted text.
func (w *world) sealed(contact string, session id.SessionID, text string) id.EventID {
	w.Helper()
	evt, err := w.ann.SendEvent(w.rooms[contact], event.EventEncrypted, map[string]any{
		"algorithm": id.AlgorithmMegolmV1, "session_id": session, "sender_key": "key", "ciphertext": text,
	})
	must(w.TB, err)
	return evt
}

// asks waits until the sender of an event is asked for its key.
func (w *world) asks(ring *keyring, session id.SessionID) {
	w.Helper()
	select {
	case got := <-ring.asked:
		if got != session {
			w.Errorf("the key of %s was asked for", got)
		}
	case <-time.After(30 * time.Second):
		w.Fatalf("the key of %s was not asked for", session)
	}
}

// saysNothing checks that the library's own notices have stayed away.
func (w *world) saysNothing(contact string) {
	w.Helper()
	for _, evt := range w.ann.Messages(w.rooms[contact]) {
		if evt.Sender == w.br.Bot.GetMXID() {
			w.Errorf("the library said %q", evt.Body())
		}
	}
}

// patient waits for keys for as long as it takes.
func patient(told *unread) inbox.Config {
	return inbox.Config{MaxParallel: 1, KeyWait: time.Millisecond, AskedKeyWait: time.Hour, OnUnreadable: told.tell}
}

// impatient gives keys up that are not there.
func impatient(told *unread) inbox.Config {
	return inbox.Config{KeyWait: time.Millisecond, AskedKeyWait: time.Millisecond, OnUnreadable: told.tell}
}

func TestAnEventWhoseKeyComesLateIsHandledOnceInItsOrderAndHoldsUpNoOtherRoom(t *testing.T) {
	ring, told := newKeyring(), &unread{}
	w := newSealedWorld(t, ring, patient(told), "mary", "john")
	w.inbox.Ready()
	w.sealed("mary", "late", "one")
	w.send("mary", "two")
	w.asks(ring, "late")
	w.send("john", "quick") // rooms are handled one at a time here, and one is waiting
	if got := w.net.waitFor(t, 1); !slices.Equal(got, []string{"quick"}) {
		t.Errorf("handled %q", got)
	}
	ring.comes("late")
	if got := w.net.waitFor(t, 3); !slices.Equal(got, []string{"quick", "one", "two"}) {
		t.Errorf("handled %q", got)
	}
	if n := ring.triesOf("one"); n != 2 {
		t.Errorf("it was decrypted %d times, without the key and with it should be all", n)
	}
	w.sealed("mary", "late", "three")
	if got := w.net.waitFor(t, 4); got[3] != "three" || ring.triesOf("three") != 1 {
		t.Errorf("handled %q, decrypted %d times", got, ring.triesOf("three"))
	}
	if all := told.all(); len(all) > 0 {
		t.Errorf("told %q", all)
	}
	w.saysNothing("mary")
}

func TestAnEventWhoseKeyNeverComesIsToldOnceAndNotHandledLater(t *testing.T) {
	ring, told := newKeyring(), &unread{}
	w := newSealedWorld(t, ring, impatient(told), "mary")
	w.inbox.Ready()
	first := w.sealed("mary", "lost", "one")
	second := w.sealed("mary", "lost", "two")
	w.send("mary", "three")
	w.net.waitFor(t, 1)
	w.asks(ring, "lost")
	ring.comes("lost")
	w.sealed("mary", "lost", "four")
	w.net.waitFor(t, 2)
	eventually(t, "an empty inbox", func() bool { return w.inbox.Pending() == 0 })
	w.restart(impatient(told))
	w.inbox.Ready()
	w.send("mary", "five")
	if got := w.net.waitFor(t, 1); !slices.Equal(got, []string{"five"}) {
		t.Errorf("after a restart handled %q", got)
	}
	if all := told.all(); !slices.Equal(all, []string{because(first, inbox.KeysMissing), because(second, inbox.KeysMissing)}) {
		t.Errorf("told %q", all)
	}
	if len(ring.asked) > 0 {
		t.Error("a key that does not come was asked for again")
	}
	w.saysNothing("mary")
}

func TestAnEventThatWaitsForItsKeyWhenTheBridgeStopsIsHandledByTheNextOne(t *testing.T) {
	ring, told := newKeyring(), &unread{}
	w := newSealedWorld(t, ring, patient(told), "mary")
	w.inbox.Ready()
	w.sealed("mary", "late", "one")
	w.send("mary", "two")
	w.asks(ring, "late")
	w.restart(patient(told))
	w.inbox.Ready()
	w.asks(ring, "late")
	ring.comes("late")
	if got := w.net.waitFor(t, 2); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("handled %q", got)
	}
	if all := told.all(); len(all) > 0 {
		t.Errorf("told %q", all)
	}
}

func TestOnlyWhatIsTheEventsOwnTroubleIsToldAtOnce(t *testing.T) {
	broken := errors.New("database is locked")
	for _, test := range []struct {
		name  string
		fails []error // nil panics
		want  inbox.Unreadable
		tries int
	}{
		{"used twice", []error{crypto.ErrDuplicateMessageIndex}, inbox.KeyUsedTwice, 1},
		{"for another room", []error{crypto.ErrWrongRoom}, inbox.BadlySealed, 1},
		{"a passing fault of ours", []error{broken, nil}, "", 3},
		{"a lasting fault of ours", []error{broken, broken, nil, broken}, inbox.OwnFault, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ring, told := newKeyring(), &unread{}
			w := newSealedWorld(t, ring, impatient(told), "mary")
			w.inbox.Ready()
			ring.comes("here")
			ring.fails["one"] = test.fails
			evt := w.sealed("mary", "here", "one")
			w.send("mary", "two")
			want, handled := []string{"two"}, []string{because(evt, test.want)}
			if test.want == "" {
				want, handled = []string{"one", "two"}, nil
			}
			if got := w.net.waitFor(t, len(want)); !slices.Equal(got, want) {
				t.Errorf("handled %q", got)
			}
			if all := told.all(); !slices.Equal(all, handled) {
				t.Errorf("told %q", all)
			}
			if n := ring.triesOf("one"); n != test.tries {
				t.Errorf("decrypted %d times", n)
			}
			w.saysNothing("mary")
		})
	}
}

func TestWhatTheSettingsForbidIsToldByOneOnly(t *testing.T) {
	t.Run("a device that is not trusted", func(t *testing.T) {
		ring, told := newKeyring(), &unread{}
		w := newSealedWorld(t, ring, impatient(told), "mary")
		w.connector.Config.Encryption.VerificationLevels.Send = id.TrustStateCrossSignedTOFU
		ring.comes("here")
		ring.trust["one"] = id.TrustStateUnset
		w.inbox.Ready()
		evt := w.sealed("mary", "here", "one")
		w.sealed("mary", "here", "two")
		if got := w.net.waitFor(t, 1); !slices.Equal(got, []string{"two"}) {
			t.Errorf("handled %q", got)
		}
		if all := told.all(); !slices.Equal(all, []string{because(evt, inbox.Untrusted)}) {
			t.Errorf("told %q", all)
		}
		w.saysNothing("mary")
	})
	t.Run("an encrypted event without encryption", func(t *testing.T) {
		told := &unread{}
		w := newWorld(t, impatient(told), "mary")
		w.inbox.Ready()
		evt := w.sealed("mary", "any", "one")
		w.send("mary", "two")
		w.net.waitFor(t, 1)
		if all := told.all(); !slices.Equal(all, []string{because(evt, inbox.NoEncryption)}) {
			t.Errorf("told %q", all)
		}
		w.saysNothing("mary")
	})
	t.Run("a message that is not encrypted", func(t *testing.T) {
		ring, told := newKeyring(), &unread{}
		w := newSealedWorld(t, ring, impatient(told), "mary")
		w.connector.Config.Encryption.Require = true
		ring.comes("here")
		w.inbox.Ready()
		evt := w.send("mary", "one")
		w.sealed("mary", "here", "two")
		if got := w.net.waitFor(t, 1); !slices.Equal(got, []string{"two"}) {
			t.Errorf("handled %q", got)
		}
		if all := told.all(); !slices.Equal(all, []string{because(evt, inbox.NotSealed)}) {
			t.Errorf("told %q", all)
		}
		w.saysNothing("mary")
	})
	t.Run("what the library would not look at", func(t *testing.T) {
		ring, told := newKeyring(), &unread{}
		w := newSealedWorld(t, ring, impatient(told), "mary")
		w.inbox.Ready()
		_, err := w.ann.SendEvent(w.rooms["mary"], event.EventEncrypted, map[string]any{
			"algorithm": id.AlgorithmMegolmV1, "session_id": "lost", "sender_key": "key", "ciphertext": "one",
			"fi.mau.double_puppet_source": w.connector.AS.DoublePuppetValue,
		})
		must(t, err)
		w.send("mary", "two")
		w.net.waitFor(t, 1)
		if all := told.all(); len(all) > 0 || ring.triesOf("one") > 0 {
			t.Errorf("told %q, decrypted %d times", all, ring.triesOf("one"))
		}
	})
}
