package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// Phone is a device of the user's that reads and writes encrypted rooms, with a Matrix client library of its own.
// What the homeserver tells its devices is fetched out of the letter box, for the scripted homeserver has no /sync.
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
		if evt.Type == event.ToDeviceRoomKeyRequest {
			continue // as today's clients do, when it is not a device of the same person that asks
		}
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
	p.reads(room, sender, text, func(clear *event.Event) bool { return clear.Content.AsMessage().Body == text })
}

// ReadsNotice waits for an encrypted notice of the bot that is a reply to an event and contains a text.
func (p *Phone) ReadsNotice(room id.RoomID, target id.EventID, part string) {
	p.s.t.Helper()
	p.reads(room, p.s.Bot(), "a notice on "+target.String()+" that says "+part, func(clear *event.Event) bool {
		notice := clear.Content.AsMessage()
		return notice.MsgType == event.MsgNotice && notice.RelatesTo.GetReplyTo() == target && strings.Contains(notice.Body, part)
	})
}

// RepliesTo is how many encrypted replies of the bot an event has so far; what they refer to can be read without keys.
func (p *Phone) RepliesTo(room id.RoomID, target id.EventID) (n int) {
	for _, ev := range p.s.Alice.Timeline(room) {
		var content event.EncryptedEventContent
		if ev.Type == event.EventEncrypted.Type && ev.Sender == p.s.Bot() && json.Unmarshal(ev.Content, &content) == nil && content.RelatesTo.GetReplyTo() == target {
			n++
		}
	}
	return n
}

func (p *Phone) reads(room id.RoomID, sender id.UserID, what string, match func(clear *event.Event) bool) {
	p.s.t.Helper()
	p.s.within("the phone to read "+what, func(ctx context.Context) error {
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
				} else if match(clear) {
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

// KeepsKeys makes the phone use new keys in a room from now on that the bridge does not get, not even when it asks
// for them, before give is called.
func (p *Phone) KeepsKeys(room id.RoomID) (give func()) {
	p.s.t.Helper()
	p.RenewsKeys(room)
	var keys event.Content
	p.s.within("making keys for "+room.String(), func(ctx context.Context) error {
		if err := p.encrypts(ctx, room); err != nil {
			return err
		}
		if err := p.keys.ShareGroupSession(ctx, room, []id.UserID{p.s.Alice.ID}); err != nil {
			return err
		}
		session, err := p.keys.CryptoStore.GetOutboundGroupSession(ctx, room)
		if err == nil {
			keys = session.ShareContent() // from the first message on
		}
		return err
	})
	return func() {
		p.s.t.Helper()
		p.s.within("giving the bridge the keys of "+room.String(), func(ctx context.Context) error {
			devices, err := p.keys.FetchKeys(ctx, []id.UserID{p.s.Bot()}, true)
			for _, device := range devices[p.s.Bot()] {
				err = errors.Join(err, p.keys.SendEncryptedToDevice(ctx, device, event.ToDeviceRoomKey, keys))
			}
			return err
		})
	}
}

// Says sends an encrypted text into a room, to the devices of its members.
func (p *Phone) Says(room id.RoomID, text string) id.EventID {
	p.s.t.Helper()
	return p.sends(room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: text})
}

// Reacts sends an encrypted reaction; what it refers to can be read without keys.
func (p *Phone) Reacts(room id.RoomID, target id.EventID, key string) id.EventID {
	p.s.t.Helper()
	return p.sends(room, event.EventReaction, &event.ReactionEventContent{RelatesTo: event.RelatesTo{Type: event.RelAnnotation, EventID: target, Key: key}})
}

func (p *Phone) encrypts(ctx context.Context, room id.RoomID) error {
	return p.store.SetEncryptionEvent(ctx, room, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1})
}

func (p *Phone) sends(room id.RoomID, kind event.Type, content any) id.EventID {
	p.s.t.Helper()
	var sealed *event.EncryptedEventContent
	p.s.within("encrypting "+kind.Type, func(ctx context.Context) error {
		err := p.encrypts(ctx, room)
		if err != nil {
			return err
		}
		sealed, err = p.keys.EncryptMegolmEvent(ctx, room, kind, content)
		if crypto.IsShareError(err) {
			if err = p.keys.ShareGroupSession(ctx, room, []id.UserID{p.s.Alice.ID, p.s.Bot()}); err == nil {
				sealed, err = p.keys.EncryptMegolmEvent(ctx, room, kind, content)
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
