package bridge

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"mellium.im/xmpp/jid"

	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/chatstate"
)

// typing passes on that somebody writes. Nothing of it is stored: it is of no worth a minute later.
type typing struct {
	cl *Client

	mu       sync.Mutex
	speaks   map[string]time.Time // contacts whose program sends chat states, and when it last did
	showing  map[string]bool      // contacts who are shown as typing, or stopped being shown in the last moment
	sending  int                  // requests to the homeserver under way
	lastSent map[string]chatstate.State
}

const (
	// typingShown is how long somebody is shown as typing without a further sign.
	typingShown = 30 * time.Second
	// typingForget is how long a contact's program counts as one that knows chat states.
	typingForget = 24 * time.Hour
	// typingBusy bounds the requests of one account that are under way; further ones are left out.
	typingBusy = 4
	// typingPeople bounds how many contacts are remembered.
	typingPeople = 1000
)

func newTyping(cl *Client) *typing { return &typing{cl: cl} }

// heard notes that a contact's program sends chat states, alone or with a message.
func (t *typing) heard(from jid.JID, state chatstate.State) {
	if state == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.speaks == nil || len(t.speaks) > typingPeople {
		t.speaks = map[string]time.Time{}
	}
	t.speaks[bareID(from)] = time.Now()
}

// received shows a chat state in the contact's room, if there is one. It never makes the reader wait: when the homeserver is slow, states are left out.
func (t *typing) received(ev xmppside.ChatState) {
	t.heard(ev.From, ev.State)
	chat := bareID(ev.From)
	if chat == t.cl.id() {
		return
	}
	timeout := time.Duration(0)
	if ev.State.Typing() {
		timeout = typingShown
	}
	t.mu.Lock()
	if timeout == 0 && !t.showing[chat] || t.sending >= typingBusy {
		t.mu.Unlock()
		return
	}
	if t.showing == nil || len(t.showing) > typingPeople {
		t.showing = map[string]bool{}
	}
	t.showing[chat] = timeout > 0
	t.sending++
	t.mu.Unlock()
	t.cl.c.spawn(func(ctx context.Context) {
		defer func() {
			t.mu.Lock()
			t.sending--
			t.mu.Unlock()
		}()
		room, err := t.cl.people.roomOf(ctx, chat)
		if err != nil || room == "" || t.cl.people.isUndecided(ctx, chat) {
			return // nothing of somebody not accepted yet goes into the room of their request
		}
		t.cl.login.QueueRemoteEvent(&simplevent.Typing{
			EventMeta: simplevent.EventMeta{
				Type: bridgev2.RemoteEventTyping, PortalKey: portalKey(t.cl.login.ID, chat), Sender: bridgev2.EventSender{Sender: userID(chat)},
			},
			Timeout: timeout, Type: bridgev2.TypingTypeText,
		})
	})
}

var _ bridgev2.TypingHandlingNetworkAPI = (*Client)(nil)

// HandleMatrixTyping implements bridgev2.TypingHandlingNetworkAPI.
func (cl *Client) HandleMatrixTyping(ctx context.Context, msg *bridgev2.MatrixTyping) error {
	chat := string(msg.Portal.ID)
	session := cl.session()
	if session == nil || !cl.typing.wanted(chat) {
		return nil
	}
	state := chatstate.Paused
	if msg.IsTyping {
		state = chatstate.Composing
	}
	if !cl.typing.news(chat, state) {
		return nil
	}
	to, err := cl.people.address(ctx, chat)
	if err != nil {
		return err
	}
	return session.SendChatState(ctx, to, state)
}

// wanted applies the setting `typing`.
func (t *typing) wanted(chat string) bool {
	switch t.cl.c.Config.Typing {
	case config.TypingOn:
		return true
	case config.TypingOff:
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.speaks[chat]
	return ok && time.Since(last) < typingForget
}

// news tells whether a state differs from the last one sent to the contact.
func (t *typing) news(chat string, state chatstate.State) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lastSent[chat] == state || t.lastSent[chat] == "" && state == chatstate.Paused {
		return false
	}
	if t.lastSent == nil || len(t.lastSent) > typingPeople {
		t.lastSent = map[string]chatstate.State{}
	}
	t.lastSent[chat] = state
	return true
}
