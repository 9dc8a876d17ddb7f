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
	backgroundWait = 22 * time.Second // how long bridgev2 waits for a key in the background, after its first wait
	noticeGap      = 2 * time.Second  // between its two notices, so that the second does not overtake the first
	missingFor     = 10 * time.Minute // how long a key that did not come is not waited for again
	missingMax     = 1000
)

type eventKey struct{}

// withEvent lets patientCrypto know for which event it waits.
func withEvent(ctx context.Context, evt *event.Event) context.Context {
	return context.WithValue(ctx, eventKey{}, evt)
}

// patientCrypto moves bridgev2's waiting for keys into the handler. bridgev2 waits 3 seconds for the key of an encrypted event,
// then returns, asks for the key, and waits 22 seconds in the background: meanwhile the event would count as handled. Here the
// first wait includes the asking and the 22 seconds, and the background has nothing left to do but to tell the sender.
//
// A key that did not come is not waited for again for some minutes, so that a room whose keys are lost is not held up at each
// event.
type patientCrypto struct {
	matrix.Crypto
	extended time.Duration
	gap      time.Duration

	mu      sync.Mutex
	missing map[id.SessionID]time.Time // since when
}

func newPatientCrypto(inner matrix.Crypto) *patientCrypto {
	return &patientCrypto{Crypto: inner, extended: backgroundWait, gap: noticeGap, missing: make(map[id.SessionID]time.Time)}
}

// WaitForSession implements [matrix.Crypto].
func (p *patientCrypto) WaitForSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, timeout time.Duration) bool {
	evt, ours := ctx.Value(eventKey{}).(*event.Event)
	if !ours {
		return p.Crypto.WaitForSession(ctx, room, sender, session, timeout)
	}
	if timeout >= backgroundWait { // the background wait, for which there is no need any more
		pause(ctx, p.gap)
		return false
	}
	if p.isMissing(session) {
		return p.Crypto.WaitForSession(ctx, room, sender, session, 0)
	}
	if p.Crypto.WaitForSession(ctx, room, sender, session, timeout) {
		return true
	}
	//lint:ignore SA1019 without a device ID, which newer clients leave out, all devices are asked
	p.Crypto.RequestSession(ctx, room, sender, session, evt.Sender, evt.Content.AsEncrypted().DeviceID)
	if p.Crypto.WaitForSession(ctx, room, sender, session, p.extended) {
		return true
	}
	if ctx.Err() == nil {
		p.noteMissing(session)
	}
	return false
}

// RequestSession implements [matrix.Crypto]. For our events the key was asked for before bridgev2 does.
func (p *patientCrypto) RequestSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, user id.UserID, device id.DeviceID) {
	if _, ours := ctx.Value(eventKey{}).(*event.Event); !ours {
		p.Crypto.RequestSession(ctx, room, sender, session, user, device)
	}
}

func (p *patientCrypto) isMissing(session id.SessionID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	since, missing := p.missing[session]
	return missing && time.Since(since) < missingFor
}

func (p *patientCrypto) noteMissing(session id.SessionID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.missing) >= missingMax {
		clear(p.missing) // rare; at worst some keys are waited for once more
	}
	p.missing[session] = time.Now()
}

func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
