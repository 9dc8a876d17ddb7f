package matrix

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Encrypted is a further device of a user that can read and write encrypted rooms. Its keys are kept in memory. It follows /sync for keys only: the rooms are read
// by the user's Client, which knows what Dendrite leaves out.
type Encrypted struct {
	api    *mautrix.Client
	keys   *crypto.OlmMachine
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every answer of /sync
}

// LoginEncrypted signs a user in with a new device, and follows /sync until Close.
func LoginEncrypted(ctx context.Context, homeserver, localpart, password string) (*Encrypted, error) {
	api, err := mautrix.NewClient(homeserver, "", "")
	if err != nil {
		return nil, err
	}
	_, err = api.Login(ctx, &mautrix.ReqLogin{
		Type:             mautrix.AuthTypePassword,
		Identifier:       mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: localpart},
		Password:         password,
		StoreCredentials: true,
	})
	if err != nil {
		return nil, fmt.Errorf("sign in as %s: %w", localpart, err)
	}
	store := mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
	log := zerolog.Nop()
	api.StateStore = store
	e := &Encrypted{
		api: api, keys: crypto.NewOlmMachine(api, &log, crypto.NewMemoryStore(nil), store), done: make(chan struct{}), changed: make(chan struct{}),
	}
	if err = e.keys.Load(ctx); err == nil {
		err = e.keys.ShareKeys(ctx, -1)
	}
	if err != nil {
		return nil, fmt.Errorf("upload device keys: %w", err)
	}
	syncer := mautrix.NewDefaultSyncer()
	syncer.OnSync(e.keys.ProcessSyncResponse)
	syncer.OnEvent(api.StateStoreSyncHandler)
	syncer.OnEventType(event.StateMember, e.keys.HandleMemberEvent)
	syncer.OnSync(func(context.Context, *mautrix.RespSync, string) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		close(e.changed)
		e.changed = make(chan struct{})
		return true
	})
	api.Syncer = syncer
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.cancel = cancel
	go func() {
		defer close(e.done)
		for run.Err() == nil {
			_ = api.SyncWithContext(run) // a homeserver that was away is asked again
		}
	}()
	return e, nil
}

// Close ends the /sync goroutine.
func (e *Encrypted) Close() {
	e.cancel()
	<-e.done
}

// WaitText waits for an encrypted message of a room with exactly this text, and returns its sender.
func (e *Encrypted) WaitText(ctx context.Context, room *Room, text string) (id.UserID, error) {
	for {
		e.mu.Lock()
		keysChanged := e.changed
		e.mu.Unlock()
		room.client.mu.Lock()
		roomChanged := room.client.changed
		room.client.mu.Unlock()
		var unread []error
		for _, evt := range room.Events() {
			if evt.Type != event.EventEncrypted {
				continue
			}
			copied := *evt
			copied.RoomID = room.id
			clear, err := e.keys.DecryptMegolmEvent(ctx, &copied)
			if err != nil {
				unread = append(unread, fmt.Errorf("%s of %s: %w", evt.ID, evt.Sender, err))
			} else if clear.Type == event.EventMessage && clear.Content.AsMessage().Body == text {
				return evt.Sender, nil
			}
		}
		select {
		case <-keysChanged:
		case <-roomChanged:
		case <-ctx.Done():
			return "", fmt.Errorf("waited in vain for %q: %w; what could not be decrypted: %w", text, ctx.Err(), errors.Join(unread...))
		}
	}
}

// Trust is what this device knows of somebody's devices: the trust in the least trusted one.
func (e *Encrypted) Trust(ctx context.Context, user id.UserID) (id.TrustState, error) {
	known, err := e.keys.FetchKeys(ctx, []id.UserID{user}, true)
	if err != nil {
		return id.TrustStateUnset, err
	}
	if len(known[user]) == 0 {
		return id.TrustStateUnset, fmt.Errorf("%s has no devices", user)
	}
	least := id.TrustStateVerified
	for _, device := range known[user] {
		trust, err := e.keys.ResolveTrustContext(ctx, device)
		if err != nil {
			return id.TrustStateUnset, err
		}
		least = min(least, trust)
	}
	return least, nil
}

// Say sends an encrypted text.
func (e *Encrypted) Say(ctx context.Context, room id.RoomID, text string) (id.EventID, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	encrypted, err := e.keys.EncryptMegolmEvent(ctx, room, event.EventMessage, content)
	if crypto.IsShareError(err) {
		members, memberErr := e.api.JoinedMembers(ctx, room)
		if memberErr != nil {
			return "", memberErr
		}
		var users []id.UserID
		for user := range members.Joined {
			users = append(users, user)
		}
		if err = e.keys.ShareGroupSession(ctx, room, users); err == nil {
			encrypted, err = e.keys.EncryptMegolmEvent(ctx, room, event.EventMessage, content)
		}
	}
	if err != nil {
		return "", fmt.Errorf("encrypt a message: %w", err)
	}
	sent, err := e.api.SendMessageEvent(ctx, room, event.EventEncrypted, encrypted, mautrix.ReqSendEvent{DontEncrypt: true})
	if err != nil {
		return "", err
	}
	return sent.EventID, nil
}
