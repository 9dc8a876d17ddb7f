package homeserver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// User is an ordinary person with an account here, played by the test. Its methods take effect as requests of that
// person would; what the rules forbid is returned as an error.
type User struct {
	ID     id.UserID
	server *Server
	token  string
}

// User returns the person with that localpart, making the account at first.
func (s *Server) User(localpart string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	userID := id.NewUserID(localpart, s.opts.Domain)
	if user := s.users[userID]; user != nil {
		return user
	}
	user := &User{ID: userID, server: s, token: fmt.Sprintf("person-%d-%s", s.nextID(), localpart)}
	s.users[userID], s.accounts[userID], s.tokens[user.token] = user, true, userID
	if s.profiles[userID] == nil {
		s.profiles[userID] = map[string]string{"displayname": localpart}
	}
	return user
}

// Token is an access token of the person, for login-matrix or for a client of its own.
func (u *User) Token() string { return u.token }

// RoomOptions describe a room a person creates.
type RoomOptions struct {
	Name      string
	Invite    []id.UserID
	Direct    bool
	Public    bool
	Encrypted bool
}

// CreateRoom makes a room and invites.
func (u *User) CreateRoom(opts RoomOptions) (id.RoomID, error) {
	req := createRequest{Name: opts.Name, Invite: opts.Invite, IsDirect: opts.Direct, Preset: "private_chat"}
	if opts.Public {
		req.Preset = "public_chat"
	}
	if opts.Encrypted {
		req.InitialState = append(req.InitialState, initialEvent{
			Type: "m.room.encryption", Content: json.RawMessage(`{"algorithm":"m.megolm.v1.aes-sha2"}`),
		})
	}
	u.server.mu.Lock()
	defer u.server.mu.Unlock()
	created, err := u.server.createRoom(u.ID, req)
	if err != nil {
		return "", err
	}
	return created.id, nil
}

// in runs act on a room with the mutex held.
func (u *User) in(roomID id.RoomID, act func(*room) (*Event, *apiError)) (id.EventID, error) {
	u.server.mu.Lock()
	defer u.server.mu.Unlock()
	r := u.server.rooms[roomID]
	if r == nil {
		return "", fmt.Errorf("%w: %s", ErrUnknownRoom, roomID)
	}
	ev, err := act(r)
	if err != nil {
		return "", err
	}
	if ev == nil {
		return "", nil
	}
	return ev.ID, nil
}

func (u *User) setMember(roomID id.RoomID, target id.UserID, content memberContent) error {
	_, err := u.in(roomID, func(r *room) (*Event, *apiError) { return u.server.setMember(r, u.ID, target, content) })
	return err
}

// Invite invites someone; direct marks the invite as one to a direct chat.
func (u *User) Invite(roomID id.RoomID, target id.UserID, direct bool) error {
	return u.setMember(roomID, target, memberContent{Membership: event.MembershipInvite, IsDirect: direct})
}

// Join accepts an invite or enters a public room.
func (u *User) Join(roomID id.RoomID) error {
	return u.setMember(roomID, u.ID, memberContent{Membership: event.MembershipJoin})
}

// Leave leaves a room or declines an invite.
func (u *User) Leave(roomID id.RoomID) error {
	return u.setMember(roomID, u.ID, memberContent{Membership: event.MembershipLeave})
}

// Kick removes someone, or takes an invite back.
func (u *User) Kick(roomID id.RoomID, target id.UserID) error {
	return u.setMember(roomID, target, memberContent{Membership: event.MembershipLeave})
}

// Ban removes someone who cannot come back.
func (u *User) Ban(roomID id.RoomID, target id.UserID) error {
	return u.setMember(roomID, target, memberContent{Membership: event.MembershipBan})
}

// SendEvent sends any message-like event; content is marshalled to JSON.
func (u *User) SendEvent(roomID id.RoomID, eventType event.Type, content any) (id.EventID, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	return u.in(roomID, func(r *room) (*Event, *apiError) {
		return u.server.post(r, draft{typ: eventType.Type, sender: u.ID, content: raw})
	})
}

// SetState sets a state event.
func (u *User) SetState(roomID id.RoomID, eventType event.Type, key string, content any) (id.EventID, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	return u.in(roomID, func(r *room) (*Event, *apiError) {
		return u.server.post(r, draft{typ: eventType.Type, sender: u.ID, stateKey: &key, content: raw})
	})
}

// Send sends an m.room.message.
func (u *User) Send(roomID id.RoomID, content *event.MessageEventContent) (id.EventID, error) {
	return u.SendEvent(roomID, event.EventMessage, content)
}

// SendText sends an m.text message.
func (u *User) SendText(roomID id.RoomID, text string) (id.EventID, error) {
	return u.Send(roomID, &event.MessageEventContent{MsgType: event.MsgText, Body: text})
}

// SendHTML sends a formatted m.text message.
func (u *User) SendHTML(roomID id.RoomID, text, html string) (id.EventID, error) {
	return u.Send(roomID, &event.MessageEventContent{MsgType: event.MsgText, Body: text, Format: event.FormatHTML, FormattedBody: html})
}

// Reply sends text as a reply to an event.
func (u *User) Reply(roomID id.RoomID, to id.EventID, text string) (id.EventID, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text, RelatesTo: (&event.RelatesTo{}).SetReplyTo(to)}
	return u.Send(roomID, content)
}

// Edit replaces the text of an own message.
func (u *User) Edit(roomID id.RoomID, target id.EventID, text string) (id.EventID, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	content.SetEdit(target)
	return u.Send(roomID, content)
}

// React sends a reaction.
func (u *User) React(roomID id.RoomID, target id.EventID, key string) (id.EventID, error) {
	return u.SendEvent(roomID, event.EventReaction, &event.ReactionEventContent{
		RelatesTo: *(&event.RelatesTo{}).SetAnnotation(target, key),
	})
}

// Redact removes an event's content.
func (u *User) Redact(roomID id.RoomID, target id.EventID) (id.EventID, error) {
	return u.in(roomID, func(r *room) (*Event, *apiError) {
		return u.server.post(r, draft{typ: "m.room.redaction", sender: u.ID, content: json.RawMessage("{}"), redacts: target})
	})
}

// SetTyping starts or stops the typing notice.
func (u *User) SetTyping(roomID id.RoomID, typing bool) error {
	_, err := u.in(roomID, func(r *room) (*Event, *apiError) {
		u.server.setTyping(r, u.ID, typing)
		return nil, nil
	})
	return err
}

// SetPresence sets the person's presence and tells the appservices.
func (u *User) SetPresence(presence event.Presence, status string) {
	u.server.mu.Lock()
	defer u.server.mu.Unlock()
	u.server.presence[u.ID] = Presence{presence, status}
	u.server.ephemeral(nil, map[string]any{"type": "m.presence", "sender": u.ID, "content": map[string]any{
		"presence": presence, "status_msg": status, "currently_active": presence == event.PresenceOnline,
	}})
}

// SetDisplayName changes the person's name, in all rooms.
func (u *User) SetDisplayName(name string) {
	u.server.mu.Lock()
	u.server.setProfile(u.ID, "displayname", name)
	u.server.mu.Unlock()
}

// Timeline is everything that was said and done in a room the person is or was in, oldest first.
func (u *User) Timeline(roomID id.RoomID) []*Event {
	u.server.mu.Lock()
	defer u.server.mu.Unlock()
	return u.timeline(roomID)
}

func (u *User) timeline(roomID id.RoomID) []*Event {
	r := u.server.rooms[roomID]
	if r == nil || r.membership(u.ID) == "" {
		return nil
	}
	return slices.Clone(r.timeline)
}

// Messages are the room's messages (see Event.IsMessage), oldest first.
func (u *User) Messages(roomID id.RoomID) []*Event {
	return slices.DeleteFunc(u.Timeline(roomID), func(ev *Event) bool { return !ev.IsMessage() })
}

// WaitEvent waits for an event of the room that matches, past ones included. Each event is offered once, and all of them again
// after a redaction.
func (u *User) WaitEvent(ctx context.Context, roomID id.RoomID, match func(*Event) bool) (*Event, error) {
	var found *Event
	offered, rewrites := 0, 0
	err := u.server.wait(ctx, "an event in "+roomID.String(), func() bool {
		r := u.server.rooms[roomID]
		if r == nil || r.membership(u.ID) == "" {
			return false
		}
		if r.rewrites != rewrites {
			offered, rewrites = 0, r.rewrites
		}
		if i := slices.IndexFunc(r.timeline[offered:], match); i >= 0 {
			found = r.timeline[offered+i]
		}
		offered = len(r.timeline)
		return found != nil
	})
	return found, err
}

// WaitMessage waits for a message of the room that matches, past ones included.
func (u *User) WaitMessage(ctx context.Context, roomID id.RoomID, match func(*Event) bool) (*Event, error) {
	return u.WaitEvent(ctx, roomID, func(ev *Event) bool { return ev.IsMessage() && match(ev) })
}

// WaitText waits for a message with exactly this body.
func (u *User) WaitText(ctx context.Context, roomID id.RoomID, text string) (*Event, error) {
	ev, err := u.WaitMessage(ctx, roomID, func(ev *Event) bool { return ev.Body() == text })
	if err != nil {
		return nil, fmt.Errorf("message %q: %w", text, err)
	}
	return ev, nil
}
