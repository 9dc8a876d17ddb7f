package inbox

import (
	"errors"
	"time"

	"maunium.net/go/mautrix/event"
)

// courierQueue is how many ephemeral events of a kind wait; more are dropped, as they are worth nothing later.
const courierQueue = 256

// courier calls functions one after the other, away from the one who hands them in.
type courier struct {
	queue chan func()
}

func newCourier() *courier {
	return &courier{queue: make(chan func(), courierQueue)}
}

// hand queues a call. It reports false when the queue is full.
func (c *courier) hand(call func()) bool {
	select {
	case c.queue <- call:
		return true
	default:
		return false
	}
}

func (c *courier) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case call := <-c.queue:
			call()
		}
	}
}

// handleEphemeral passes typing, receipts and presence on. They are not durable, and dropped before Ready. Presence has a courier
// of its own: a typing notice may wait behind a message that its room is busy with.
func (in *Inbox) handleEphemeral(events []*event.Event) {
	if !in.ready() {
		return
	}
	dropped := 0
	for _, evt := range events {
		if evt == nil {
			continue
		}
		evt.Type.Class = event.EphemeralEventType
		evt.Mautrix.EventSource = event.SourceEphemeral
		evt.Mautrix.ReceivedAt = time.Now()
		if in.parseContent(evt) != nil {
			continue
		}
		courier, call := in.rooms, func() { in.cfg.Connector.EventProcessor.Dispatch(in.ctx, evt) }
		if evt.Type == event.EphemeralEventPresence {
			courier, call = in.presence, func() { in.tellPresence(evt) }
		}
		if !courier.hand(call) {
			dropped++
		}
	}
	if dropped > 0 {
		in.cfg.Log.Debug().Int("events", dropped).Msg("Typing, receipts or presence were dropped because too many are waiting")
	}
}

func (in *Inbox) tellPresence(evt *event.Event) {
	content, ok := evt.Content.Parsed.(*event.PresenceEventContent)
	if ok && in.cfg.OnPresence != nil && evt.Sender != "" {
		in.cfg.OnPresence(in.ctx, evt.Sender, content.Presence, content.StatusMessage)
	}
}

// handleEncryption handles the parts that decryption depends on, before the transaction is answered. They have nobody to go to
// before Ready; until then the homeserver has to keep them.
func (in *Inbox) handleEncryption(txn transaction) error {
	if len(txn.ToDevice) == 0 && txn.DeviceLists == nil && len(txn.KeyCounts) == 0 {
		return nil
	}
	if !in.ready() {
		if len(txn.ToDevice) == 0 && txn.DeviceLists == nil {
			return nil // key counts come again with the next transaction
		}
		return errNotReady
	}
	processor := in.cfg.Connector.EventProcessor
	for _, evt := range txn.ToDevice {
		if evt == nil {
			continue
		}
		evt.Type.Class = event.ToDeviceEventType
		evt.Mautrix.EventSource = event.SourceToDevice
		evt.Mautrix.ReceivedAt = time.Now()
		_ = in.parseContent(evt) // the library handles what it cannot parse, too
		processor.Dispatch(in.ctx, evt)
	}
	if txn.DeviceLists != nil {
		processor.DispatchDeviceList(in.ctx, txn.DeviceLists)
	}
	for user, devices := range txn.KeyCounts {
		for device, counts := range devices {
			counts.UserID, counts.DeviceID = user, device
			processor.DispatchOTK(in.ctx, &counts)
		}
	}
	return nil
}

func (in *Inbox) ready() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.isReady
}

// parseContent fills the content's Go value in. Unknown types have none, which is no error.
func (in *Inbox) parseContent(evt *event.Event) error {
	err := evt.Content.ParseRaw(evt.Type)
	if err == nil || errors.Is(err, event.ErrUnsupportedContentType) || errors.Is(err, event.ErrContentAlreadyParsed) {
		return nil
	}
	in.cfg.Log.Warn().Err(err).Stringer("event_id", evt.ID).Str("event_type", evt.Type.Type).Msg("The content of an event could not be parsed")
	return err
}

var errNotReady = errors.New("the bridge is still starting, and keys cannot be handled yet")
