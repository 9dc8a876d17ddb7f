package inbox

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const (
	askTimeout = 10 * time.Second // for the homeserver to take a request for a key
	missingFor = 10 * time.Minute // how long a key that did not come is not waited for again
	missingMax = 1000
)

type clearKey struct{}

// withClear passes on what an encrypted event says, so that bridgev2 does not decrypt it once more: with keys that are
// ratcheted on (encryption.delete_keys) it could not, and it would tell the sender so in its own words.
func withClear(ctx context.Context, clear *event.Event) context.Context {
	return context.WithValue(ctx, clearKey{}, clear)
}

// readCrypto hands bridgev2 what the inbox has decrypted, and decrypts what anybody else asks for.
type readCrypto struct{ matrix.Crypto }

// Decrypt implements [matrix.Crypto].
func (c readCrypto) Decrypt(ctx context.Context, evt *event.Event) (*event.Event, error) {
	if clear, ours := ctx.Value(clearKey{}).(*event.Event); ours && clear.ID == evt.ID {
		return clear, nil
	}
	return c.Crypto.Decrypt(ctx, evt)
}

// keyWaits waits for keys. One that did not come is not waited for again for some minutes, so that a room whose keys
// are lost is not held up at each event.
type keyWaits struct {
	mu      sync.Mutex
	missing map[id.SessionID]time.Time // since when
}

func newKeyWaits() *keyWaits { return &keyWaits{missing: make(map[id.SessionID]time.Time)} }

// await waits for the key of an event: first for one that is on its way, then for one that was asked for. It reports
// whether the key, or word that it will not come, is there.
func (w *keyWaits) await(ctx context.Context, crypto matrix.Crypto, evt *event.Event, first, asked time.Duration) bool {
	content := evt.Content.AsEncrypted()
	if w.isMissing(content.SessionID) {
		return false
	}
	if crypto.WaitForSession(ctx, evt.RoomID, content.SenderKey, content.SessionID, first) {
		return true
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	//lint:ignore SA1019 without a device ID, which newer clients leave out, all devices are asked
	crypto.RequestSession(asking, evt.RoomID, content.SenderKey, content.SessionID, evt.Sender, content.DeviceID)
	cancel()
	if crypto.WaitForSession(ctx, evt.RoomID, content.SenderKey, content.SessionID, asked) {
		return true
	}
	if ctx.Err() == nil {
		w.noteMissing(content.SessionID)
	}
	return false
}

func (w *keyWaits) isMissing(session id.SessionID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, missing := w.missing[session]
	return missing && time.Since(since) < missingFor
}

func (w *keyWaits) noteMissing(session id.SessionID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.missing) >= missingMax {
		clear(w.missing) // rare; at worst some keys are waited for once more
	}
	w.missing[session] = time.Now()
}
