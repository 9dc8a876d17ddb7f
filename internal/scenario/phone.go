package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// Phone is a device of the user's that reads and writes encrypted rooms, with a Matrix client library of its own. What the homeserver tells its devices is
// fetched out of the letter box, for the scripted homeserver has no /sync.
type Phone struct {
	s     *Scenario
	api   *mautrix.Client
	keys  *crypto.OlmMachine
	store *mautrix.MemoryStateStore

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when keys have come
}

const phoneID = id.DeviceID("PHONE")

// UserHasPhone gives the user an encrypting device.
func (s *Scenario) UserHasPhone() *Phone {
	s.t.Helper()
	api, err := mautrix.NewClient(s.HS.URL(), s.Alice.ID, s.Alice.Token())
	if err != nil {
		s.t.Fatal(err)
	}
	api.DeviceID = phoneID
	p := &Phone{s: s, api: api, store: mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore), changed: make(chan struct{})}
	log := zerolog.Nop()
	api.StateStore = p.store
	p.keys = crypto.NewOlmMachine(api, &log, crypto.NewMemoryStore(nil), p.store)
	s.within("making the phone's keys", func(ctx context.Context) error {
		return errors.Join(p.keys.Load(ctx), p.keys.ShareKeys(ctx, -1))
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p.receive(ctx) == nil {
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

// receive takes what has come for the phone.
func (p *Phone) receive(ctx context.Context) error {
	letters, err := p.s.Alice.TakeToDevice(ctx, phoneID)
	if err != nil {
		return err
	}
	for _, letter := range letters {
		var evt event.Event
		if err = json.Unmarshal(letter, &evt); err != nil {
			return err
		}
		evt.Type.Class = event.ToDeviceEventType
		if err = evt.Content.ParseRaw(evt.Type); err != nil {
			return err
		}
		p.keys.HandleToDeviceEvent(ctx, &evt)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return nil
}

// Reads waits for an encrypted message of somebody with this text.
func (p *Phone) Reads(room id.RoomID, sender id.UserID, text string) {
	p.s.t.Helper()
	p.s.within("the phone to read "+text, func(ctx context.Context) error {
		seen := 0
		for {
			p.mu.Lock()
			changed := p.changed
			p.mu.Unlock()
			var failed error
			timeline := p.s.Alice.Timeline(room)
			for _, ev := range timeline {
				if ev.Type != event.EventEncrypted.Type || ev.Sender != sender {
					continue
				}
				clear, err := p.open(ctx, room, ev)
				if err != nil {
					failed = errors.Join(failed, err)
				} else if clear.Content.AsMessage().Body == text {
					return nil
				}
			}
			seen = len(timeline)
			more, stop := context.WithCancel(ctx)
			come := make(chan struct{})
			go func() {
				defer close(come)
				_, _ = p.s.Alice.WaitEvent(more, room, func(ev *homeserver.Event) bool { return ev.Index > timelineEnd(timeline) })
			}()
			select {
			case <-changed:
			case <-come:
			}
			stop()
			<-come
			if ctx.Err() != nil {
				return fmt.Errorf("%d events, what could not be read: %w", seen, errors.Join(failed, ctx.Err()))
			}
		}
	})
}

func timelineEnd(events []*homeserver.Event) int {
	if len(events) == 0 {
		return -1
	}
	return events[len(events)-1].Index
}

// open decrypts an event of a room.
func (p *Phone) open(ctx context.Context, room id.RoomID, ev *homeserver.Event) (*event.Event, error) {
	sealed := &event.Event{Type: event.EventEncrypted, ID: ev.ID, RoomID: room, Sender: ev.Sender, Timestamp: ev.Timestamp}
	if err := json.Unmarshal(ev.Content, &sealed.Content); err != nil {
		return nil, err
	}
	if err := sealed.Content.ParseRaw(event.EventEncrypted); err != nil {
		return nil, err
	}
	return p.keys.DecryptMegolmEvent(ctx, sealed)
}

// RenewsKeys makes the phone use new keys from its next message on, which have to be sent to the bridge first.
func (p *Phone) RenewsKeys(room id.RoomID) {
	p.s.t.Helper()
	p.s.within("forgetting the keys of "+room.String(), func(ctx context.Context) error {
		return p.keys.CryptoStore.RemoveOutboundGroupSession(ctx, room)
	})
}

// Says sends an encrypted text into a room, to the devices of its members.
func (p *Phone) Says(room id.RoomID, text string) id.EventID {
	p.s.t.Helper()
	var sealed *event.EncryptedEventContent
	p.s.within("encrypting "+text, func(ctx context.Context) error {
		err := p.store.SetEncryptionEvent(ctx, room, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1})
		if err != nil {
			return err
		}
		content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
		sealed, err = p.keys.EncryptMegolmEvent(ctx, room, event.EventMessage, content)
		if crypto.IsShareError(err) {
			if err = p.keys.ShareGroupSession(ctx, room, []id.UserID{p.s.Alice.ID, p.s.Bot()}); err == nil {
				sealed, err = p.keys.EncryptMegolmEvent(ctx, room, event.EventMessage, content)
			}
		}
		return err
	})
	sent, err := p.s.Alice.SendEvent(room, event.EventEncrypted, sealed)
	if err != nil {
		p.s.t.Fatal(err)
	}
	return sent
}
