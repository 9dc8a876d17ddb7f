package matrix

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Room is what the user has seen of one room. Its fields are guarded by the client's mutex.
type Room struct {
	client     *Client
	id         id.RoomID
	membership event.Membership
	read       bool      // its timeline has been read from a first /sync
	inviter    id.UserID // who invited the user, when that was seen
	direct     bool      // the invite said so
	name       string
	members    map[id.UserID]member
	timeline   []*event.Event
	known      map[id.EventID]bool
	typing     map[id.UserID]bool
}

type member struct {
	membership event.Membership
	name       string
	picture    id.ContentURIString
}

// Message is a message as a reader sees it.
type Message struct {
	ID     id.EventID
	Sender id.UserID
	Name   string // the sender's display name in the room
	Type   event.MessageType
	Body   string
}

func newRoom(c *Client, roomID id.RoomID) *Room {
	return &Room{client: c, id: roomID, members: map[id.UserID]member{}, known: map[id.EventID]bool{}, typing: map[id.UserID]bool{}}
}

// ID is the room's ID.
func (r *Room) ID() id.RoomID { return r.id }

func (r *Room) applyState(evt *event.Event) {
	evt.Type.Class = event.StateEventType
	_ = evt.Content.ParseRaw(evt.Type) // content that does not parse has empty fields
	switch evt.Type {
	case event.StateRoomName:
		r.name = evt.Content.AsRoomName().Name
	case event.StateMember:
		content := evt.Content.AsMember()
		user := id.UserID(evt.GetStateKey())
		r.members[user] = member{content.Membership, content.Displayname, content.AvatarURL}
		if user == r.client.api.UserID && content.Membership == event.MembershipInvite {
			r.inviter, r.direct = evt.Sender, content.IsDirect
		}
	}
}

// forgetOrder takes out of the timeline what is about to be appended again: the order of a first /sync
// counts, as an earlier answer may have had gaps.
func (r *Room) forgetOrder(again []*event.Event) {
	repeated := make(map[id.EventID]bool, len(again))
	for _, evt := range again {
		repeated[evt.ID] = true
	}
	r.timeline = slices.DeleteFunc(r.timeline, func(evt *event.Event) bool { return repeated[evt.ID] })
}

// appendTimeline adds an event and says whether it had not been seen before.
func (r *Room) appendTimeline(evt *event.Event) bool {
	if evt.StateKey == nil {
		evt.Type.Class = event.MessageEventType
		_ = evt.Content.ParseRaw(evt.Type)
	}
	r.timeline = append(r.timeline, evt)
	isNew := !r.known[evt.ID]
	r.known[evt.ID] = true
	return isNew
}

// applyEphemeral takes over who is typing.
func (r *Room) applyEphemeral(evt *event.Event) {
	evt.Type.Class = event.EphemeralEventType
	if evt.Type != event.EphemeralEventTyping || evt.Content.ParseRaw(evt.Type) != nil {
		return
	}
	clear(r.typing)
	for _, user := range evt.Content.AsTyping().UserIDs {
		r.typing[user] = true
	}
}

// Title is what a client shows: the name, else the names of the others in the room.
func (r *Room) Title() string {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	return r.titleLocked()
}

func (r *Room) titleLocked() string {
	if r.name != "" {
		return r.name
	}
	var names []string
	for userID, m := range r.members {
		if userID != r.client.api.UserID && (m.membership == event.MembershipJoin || m.membership == event.MembershipInvite) {
			names = append(names, m.name)
		}
	}
	sort.Strings(names)
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprint(names)
}

// MemberName is a user's display name in the room, else the user's ID.
func (r *Room) MemberName(user id.UserID) string {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	return r.memberNameLocked(user)
}

func (r *Room) memberNameLocked(user id.UserID) string {
	if m := r.members[user]; m.name != "" {
		return m.name
	}
	return string(user)
}

// Messages are the messages seen so far (text and notices), oldest first.
func (r *Room) Messages() []Message {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	return r.messagesLocked()
}

func (r *Room) messagesLocked() []Message {
	var messages []Message
	for _, evt := range r.timeline {
		if evt.Type != event.EventMessage || evt.StateKey != nil {
			continue
		}
		content := evt.Content.AsMessage()
		messages = append(messages, Message{
			ID: evt.ID, Sender: evt.Sender, Name: r.memberNameLocked(evt.Sender), Type: content.MsgType, Body: content.Body,
		})
	}
	return messages
}

// Events are all timeline events seen so far, oldest first.
func (r *Room) Events() []*event.Event {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	return append([]*event.Event(nil), r.timeline...)
}

// Say sends a text and returns its event ID.
func (r *Room) Say(ctx context.Context, text string) (id.EventID, error) {
	answer, err := r.client.api.SendText(ctx, r.id, text)
	if err != nil {
		return "", err
	}
	return answer.EventID, nil
}

// WaitMessages waits until the messages of the room, oldest first, are as enough wants them.
func (r *Room) WaitMessages(ctx context.Context, what string, enough func([]Message) bool) error {
	err := r.client.Wait(ctx, what, func() bool { return enough(r.messagesLocked()) })
	if err != nil {
		return fmt.Errorf("%w\nthe room %s shows:\n%s", err, r.id, r.Transcript())
	}
	return nil
}

// WaitMessage waits for a message that fits, among the old ones too.
func (r *Room) WaitMessage(ctx context.Context, what string, fits func(Message) bool) (Message, error) {
	var found Message
	err := r.WaitMessages(ctx, what, func(messages []Message) bool {
		i := slices.IndexFunc(messages, fits)
		if i >= 0 {
			found = messages[i]
		}
		return i >= 0
	})
	return found, err
}

// WaitMessagesFrom waits until count messages of one sender are there and returns their texts in order.
func (r *Room) WaitMessagesFrom(ctx context.Context, sender id.UserID, count int) ([]string, error) {
	var bodies []string
	err := r.WaitMessages(ctx, fmt.Sprintf("%d messages of %s", count, sender), func(messages []Message) bool {
		bodies = bodies[:0]
		for _, message := range messages {
			if message.Sender == sender {
				bodies = append(bodies, message.Body)
			}
		}
		return len(bodies) >= count
	})
	return bodies, err
}

// Transcript is the room's conversation as text, for failures.
func (r *Room) Transcript() string {
	text := ""
	for _, message := range r.Messages() {
		text += fmt.Sprintf("  %s [%s] %q\n", message.Name, message.Type, message.Body)
	}
	return text
}
