package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/world"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// What is said in the scripted part.
const (
	svenAsks = "Hi John! You are online again. Which program are you using?"
	svenEnds = "Grüße! Talk to you later 👋"
	johnSays = "Hello Erika, can you hear me? 😀"
)

// johnAnswers are John's answers to Sven, in turn.
var johnAnswers = []string{"A Matrix client. And you?", "Through a bridge: you see me in Messenger, I see you in Matrix."}

// talk prints what the Matrix user sees and plays his part of the script.
type talk struct {
	out *screen

	mu       sync.Mutex
	client   *matrix.Client
	first    time.Time                  // when the first message of a contact was seen
	presence map[id.UserID]string       // what was last shown of whom
	states   map[string]map[string]bool // presence states seen, by name
	changed  chan struct{}              // closed and replaced when a presence was seen
}

func newTalk(out *screen) *talk {
	return &talk{out: out, presence: map[id.UserID]string{}, states: map[string]map[string]bool{}, changed: make(chan struct{})}
}

func (t *talk) options() []matrix.Option {
	fromBot := func(inviter id.UserID) bool { return inviter == world.Bot } // what a contact asks is for people who join in to answer
	return []matrix.Option{matrix.WithEvents(t.seeEvent), matrix.WithPresence(t.seePresence), matrix.WithInvitesFrom(fromBot)}
}

func (t *talk) setClient(client *matrix.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.client = client
}

// seeEvent prints a message.
func (t *talk) seeEvent(room *matrix.Room, evt *event.Event) {
	if evt.Type != event.EventMessage {
		return
	}
	body := evt.Content.AsMessage().Body
	name := room.MemberName(evt.Sender)
	if !isGhost(evt.Sender) && evt.Sender.Localpart() != world.User {
		name = "bridge bot"
		body = shorten(body)
	} else if isGhost(evt.Sender) {
		t.mu.Lock()
		if t.first.IsZero() {
			t.first = time.Now()
		}
		t.mu.Unlock()
	}
	if body == "" {
		return // redacted: what may have been a secret
	}
	t.out.message(room.Title(), name, body)
}

// isGhost tells contacts from the bot and from people of the homeserver.
func isGhost(user id.UserID) bool { return strings.HasPrefix(user.Localpart(), "messenger_") }

// shorten cuts what the bot says at great length, and links that are of use only once.
func shorten(body string) string {
	line, _, _ := strings.Cut(body, "\n")
	if len(line) > 160 {
		line = strings.ToValidUTF8(line[:160], "") + " …"
	}
	return line
}

// seePresence prints a contact's presence when it has changed.
func (t *talk) seePresence(evt *event.Event) {
	if !isGhost(evt.Sender) {
		return
	}
	content := evt.Content.AsPresence()
	text := string(content.Presence)
	if content.Presence == event.PresenceUnavailable {
		text = "away" // Matrix's word for it is hard to understand
	}
	if content.StatusMessage != "" {
		text += " (" + content.StatusMessage + ")"
	}
	t.mu.Lock()
	client, before := t.client, t.presence[evt.Sender]
	t.presence[evt.Sender] = text
	t.mu.Unlock()
	if client == nil || before == text {
		return
	}
	name := client.NameOf(evt.Sender)
	t.out.presence(name, text)
	t.mu.Lock()
	if t.states[name] == nil {
		t.states[name] = map[string]bool{}
	}
	t.states[name][string(content.Presence)] = true
	close(t.changed)
	t.changed = make(chan struct{})
	t.mu.Unlock()
}

// play takes John's part in the conversation, until all of it has been said.
func (t *talk) play(ctx context.Context) error {
	withSven, err := t.client.RoomWithTitle(ctx, sven)
	if err != nil {
		return err
	}
	withErika, err := t.client.RoomWithTitle(ctx, erika)
	if err != nil {
		return err
	}
	if _, err := withErika.Say(ctx, johnSays); err != nil {
		return err
	}
	for i, answer := range johnAnswers {
		if err := heard(ctx, withSven, sven, i+1); err != nil {
			return err
		}
		if _, err := withSven.Say(ctx, answer); err != nil {
			return err
		}
	}
	if err := heard(ctx, withSven, sven, len(johnAnswers)+1); err != nil {
		return err
	}
	if err := heard(ctx, withErika, erika, 1); err != nil {
		return err
	}
	return t.awaitPresence(ctx, anna, event.PresenceUnavailable, event.PresenceOnline)
}

// heard waits until somebody has said so many things in a room.
func heard(ctx context.Context, room *matrix.Room, name string, count int) error {
	return room.WaitMessages(ctx, fmt.Sprintf("message %d of %s", count, name), func(messages []matrix.Message) bool {
		seen := 0
		for _, message := range messages {
			if message.Name == name {
				seen++
			}
		}
		return seen >= count
	})
}

// awaitPresence waits until somebody has been seen in all these states.
func (t *talk) awaitPresence(ctx context.Context, name string, states ...event.Presence) error {
	for {
		t.mu.Lock()
		missing := ""
		for _, state := range states {
			if !t.states[name][string(state)] {
				missing = string(state)
			}
		}
		changed := t.changed
		t.mu.Unlock()
		if missing == "" {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s was never shown as %s: %w", name, missing, ctx.Err())
		}
	}
}

// firstMessage is when the first message of a contact was seen.
func (t *talk) firstMessage() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first
}
