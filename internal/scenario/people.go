package scenario

import (
	"context"
	"slices"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/messengerd"
)

// ContactTypes sends a chat state of a contact to the user: composing, paused, active, inactive or gone.
func (s *Scenario) ContactTypes(name, state string) {
	s.t.Helper()
	if err := s.Contact(name).SetTyping(userEmail, state); err != nil {
		s.t.Fatal(err)
	}
}

// RoomShowsTyping waits until the room shows that the contact is typing, or is not.
func (s *Scenario) RoomShowsTyping(name string, typing bool) {
	s.t.Helper()
	room := s.Room(name)
	s.within("typing of "+name, func(ctx context.Context) error {
		return s.HS.WaitTyping(ctx, room, s.Ghost(name), typing)
	})
}

// UserTypes starts or stops the user's typing in the room with a contact.
func (s *Scenario) UserTypes(name string, typing bool) {
	s.t.Helper()
	if err := s.Alice.SetTyping(s.Room(name), typing); err != nil {
		s.t.Fatal(err)
	}
}

// ContactSeesTyping waits until the contact's program shows a chat state of the user.
func (s *Scenario) ContactSeesTyping(name, state string) {
	s.t.Helper()
	s.awaitAccount(s.Contact(name), name+" to see that the user is "+state, func() bool { return s.Contact(name).Typing(userEmail) == state })
}

// ContactGoes changes a contact's presence: available, busy, away, invisible or offline, with a personal message.
func (s *Scenario) ContactGoes(name, state, status string) {
	s.t.Helper()
	if err := s.Contact(name).SetPresence(state, status); err != nil {
		s.t.Fatal(err)
	}
}

// ContactIsShown waits until Matrix shows a contact with a presence and a status message.
func (s *Scenario) ContactIsShown(name string, presence event.Presence, status string) {
	s.t.Helper()
	s.within("presence of "+name, func(ctx context.Context) error {
		return s.HS.WaitPresence(ctx, s.Ghost(name), func(p homeserver.Presence) bool {
			return p.Presence == presence && p.StatusMsg == status
		})
	})
}

// UserIsShown waits until a session of the user at the service shows this: show is empty for available, else away or dnd.
func (s *Scenario) UserIsShown(show, status string) {
	s.t.Helper()
	s.awaitAccount(s.User(), "the user's presence at the service", func() bool {
		return slices.ContainsFunc(s.User().Sessions(), func(info messengerd.SessionInfo) bool {
			return info.Online && info.Show == show && info.Status == status
		})
	})
}

// StrangerAsks lets somebody ask to become the user's contact.
func (s *Scenario) StrangerAsks(name, nick, text string) {
	s.t.Helper()
	s.Contact(name).Invite(userEmail, nick, text)
}

// UserIsInvited waits until the user is invited to a room with somebody.
func (s *Scenario) UserIsInvited(name string) homeserver.RoomView {
	s.t.Helper()
	var room homeserver.RoomView
	s.within("an invite of "+name, func(ctx context.Context) (err error) {
		room, err = s.Alice.WaitInvite(ctx, func(v homeserver.RoomView) bool { return v.Has(s.Ghost(name)) })
		return err
	})
	return room
}

// UserJoins accepts an invite, and UserLeaves declines it or leaves.
func (s *Scenario) UserJoins(room id.RoomID) {
	s.t.Helper()
	if err := s.Alice.Join(room); err != nil {
		s.t.Fatal(err)
	}
}

// UserLeaves leaves a room or declines its invite.
func (s *Scenario) UserLeaves(room id.RoomID) {
	s.t.Helper()
	if err := s.Alice.Leave(room); err != nil {
		s.t.Fatal(err)
	}
}

// ContactOf is somebody's roster entry for the user; nothing when there is none.
func (s *Scenario) ContactOf(name string) (entry messengerd.Contact) {
	s.t.Helper()
	for _, contact := range s.Contact(name).Contacts() {
		if contact.JID == s.User().JID() {
			entry = contact
		}
	}
	return entry
}

// RosterOf waits until somebody's roster has the user with this subscription (both, to, from, none) and nothing pending.
func (s *Scenario) RosterOf(name, subscription string) {
	s.t.Helper()
	s.awaitAccount(s.Contact(name), "the roster of "+name+" to say "+subscription, func() bool {
		entry := s.ContactOf(name)
		return entry.Subscription == subscription && entry.Ask == ""
	})
}
