package homeserver

import (
	"context"
	"encoding/json"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Member is one entry of a room's member list.
type Member struct {
	Membership  event.Membership
	DisplayName string
	AvatarURL   string
}

// RoomView is a room as one person sees it at one moment.
type RoomView struct {
	ID         id.RoomID
	Name       string
	Topic      string
	AvatarURL  string
	Creator    id.UserID
	Type       string           // m.space for spaces
	Encrypted  bool             // has m.room.encryption
	Membership event.Membership // the person's own
	Direct     bool             // the person's invite said is_direct
	Inviter    id.UserID        // who sent the person's latest invite
	Members    map[id.UserID]Member
	state      map[stateKey]*Event
}

// State returns a state event, nil when the room has none.
func (v RoomView) State(eventType, key string) *Event { return v.state[stateKey{eventType, key}] }

// Has tells whether the user is joined or invited.
func (v RoomView) Has(user id.UserID) bool {
	membership := v.Members[user].Membership
	return membership == event.MembershipJoin || membership == event.MembershipInvite
}

// Joined tells whether the user is joined.
func (v RoomView) Joined(user id.UserID) bool {
	return v.Members[user].Membership == event.MembershipJoin
}

func (r *room) view(user id.UserID) RoomView {
	view := RoomView{
		ID: r.id, Name: r.stateField("m.room.name", "name"), Topic: r.stateField("m.room.topic", "topic"),
		AvatarURL: r.stateField("m.room.avatar", "url"), Creator: r.creator, Type: r.stateField("m.room.create", "type"),
		Encrypted: r.state[stateKey{"m.room.encryption", ""}] != nil, Membership: r.membership(user),
		Members: make(map[id.UserID]Member), state: make(map[stateKey]*Event, len(r.state)),
	}
	for key, ev := range r.state {
		view.state[key] = ev
		if key.typ == "m.room.member" {
			content := ev.member()
			view.Members[id.UserID(key.key)] = Member{content.Membership, content.DisplayName, content.AvatarURL}
		}
	}
	for i := len(r.timeline) - 1; i >= 0; i-- {
		ev := r.timeline[i]
		if ev.membership == event.MembershipInvite && *ev.StateKey == user.String() {
			view.Inviter, view.Direct = ev.Sender, ev.member().IsDirect
			break
		}
	}
	return view
}

// Room is one room as the person sees it; ok is false when the person never was in it.
func (u *User) Room(roomID id.RoomID) (view RoomView, ok bool) {
	u.server.mu.Lock()
	defer u.server.mu.Unlock()
	r := u.server.rooms[roomID]
	if r == nil || r.membership(u.ID) == "" {
		return RoomView{}, false
	}
	return r.view(u.ID), true
}

// Rooms are the rooms the person has joined, in the order they were made.
func (u *User) Rooms() []RoomView { return u.roomsWith(event.MembershipJoin) }

// Invites are the rooms the person is invited to.
func (u *User) Invites() []RoomView { return u.roomsWith(event.MembershipInvite) }

func (u *User) roomsWith(membership event.Membership) []RoomView {
	u.server.mu.Lock()
	defer u.server.mu.Unlock()
	var views []RoomView
	for _, roomID := range u.server.roomOrder {
		if r := u.server.rooms[roomID]; r.membership(u.ID) == membership {
			views = append(views, r.view(u.ID))
		}
	}
	return views
}

// WaitRoom waits for a room the person is joined or invited to and that matches; rooms that exist count.
func (u *User) WaitRoom(ctx context.Context, match func(RoomView) bool) (RoomView, error) {
	var found RoomView
	err := u.server.wait(ctx, "a matching room for "+u.ID.String(), func() bool {
		for _, roomID := range u.server.roomOrder {
			r := u.server.rooms[roomID]
			if m := r.membership(u.ID); m != event.MembershipJoin && m != event.MembershipInvite {
				continue
			}
			if view := r.view(u.ID); match(view) {
				found = view
				return true
			}
		}
		return false
	})
	return found, err
}

// WaitInvite waits for an invite of the person that matches (any when match is nil).
func (u *User) WaitInvite(ctx context.Context, match func(RoomView) bool) (RoomView, error) {
	return u.WaitRoom(ctx, func(v RoomView) bool {
		return v.Membership == event.MembershipInvite && (match == nil || match(v))
	})
}

// WaitTyping waits until the user is (or is not) typing in a room.
func (s *Server) WaitTyping(ctx context.Context, roomID id.RoomID, user id.UserID, typing bool) error {
	return s.wait(ctx, "a typing notice", func() bool {
		r := s.rooms[roomID]
		return r != nil && r.typing[user] == typing
	})
}

// WaitPresence waits until a user's presence matches.
func (s *Server) WaitPresence(ctx context.Context, user id.UserID, match func(Presence) bool) error {
	return s.wait(ctx, "presence of "+user.String(), func() bool {
		presence, ok := s.presence[user]
		return ok && match(presence)
	})
}

// Profile returns a user's display name and avatar; ok is false for an unknown user.
func (s *Server) Profile(user id.UserID) (displayName, avatarURL string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	profile := s.profiles[user]
	return profile["displayname"], profile["avatar_url"], s.accounts[user]
}

// WaitProfile waits until a user's profile matches.
func (s *Server) WaitProfile(ctx context.Context, user id.UserID, match func(displayName, avatarURL string) bool) error {
	return s.wait(ctx, "the profile of "+user.String(), func() bool {
		return s.accounts[user] && match(s.profiles[user]["displayname"], s.profiles[user]["avatar_url"])
	})
}

// Receipt is the event a user has read up to in a room.
func (s *Server) Receipt(roomID id.RoomID, user id.UserID) id.EventID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[roomID]; r != nil {
		return r.receipts[user]
	}
	return ""
}

// WaitReceipt waits until a user has read up to an event.
func (s *Server) WaitReceipt(ctx context.Context, roomID id.RoomID, user id.UserID, eventID id.EventID) error {
	return s.wait(ctx, "the read receipt of "+user.String(), func() bool {
		r := s.rooms[roomID]
		return r != nil && r.receipts[user] == eventID
	})
}

// AccountData returns what a user stored under a type, for a room or (empty room) globally.
func (s *Server) AccountData(user id.UserID, roomID id.RoomID, typ string) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accountData[accountDataKey{user, roomID, typ}]
}
