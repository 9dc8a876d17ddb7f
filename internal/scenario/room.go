package scenario

import (
	"context"
	"slices"
	"strings"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// Bot is the bridge's bot.
func (s *Scenario) Bot() id.UserID { return id.NewUserID(s.name()+"bot", s.HS.Domain()) }

// Ghost is a contact in Matrix.
func (s *Scenario) Ghost(name string) id.UserID {
	s.t.Helper()
	return id.NewUserID(s.name()+"_"+id.EncodeUserLocalpart(s.contact(name).jid), s.HS.Domain())
}

// Room waits for the user's room with a contact, and joins it when the user is only invited.
func (s *Scenario) Room(name string) id.RoomID {
	s.t.Helper()
	ghost := s.Ghost(name)
	var room homeserver.RoomView
	s.within("a room with "+name, func(ctx context.Context) (err error) {
		room, err = s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.Has(ghost) && v.Type == "" })
		return err
	})
	if room.Membership == event.MembershipInvite {
		if err := s.Alice.Join(room.ID); err != nil {
			s.t.Fatal(err)
		}
	}
	return room.ID
}

// UserSends lets the user write to a contact in their room, and returns the last message's ID.
func (s *Scenario) UserSends(name string, texts ...string) (last id.EventID) {
	s.t.Helper()
	room := s.Room(name)
	for _, text := range texts {
		last = s.sent(s.Alice.SendText(room, text))
	}
	return last
}

func (s *Scenario) sent(eventID id.EventID, err error) id.EventID {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return eventID
}

// UserFormats sends a formatted message.
func (s *Scenario) UserFormats(name, text, html string) id.EventID {
	s.t.Helper()
	return s.sent(s.Alice.SendHTML(s.Room(name), text, html))
}

// UserPosts sends any m.room.message, such as a file.
func (s *Scenario) UserPosts(name string, content *event.MessageEventContent) id.EventID {
	s.t.Helper()
	return s.sent(s.Alice.Send(s.Room(name), content))
}

// UserReplies replies to a message in the room with a contact.
func (s *Scenario) UserReplies(name string, to id.EventID, text string) id.EventID {
	s.t.Helper()
	return s.sent(s.Alice.Reply(s.Room(name), to, text))
}

// UserEdits replaces the text of an own message.
func (s *Scenario) UserEdits(name string, target id.EventID, text string) id.EventID {
	s.t.Helper()
	return s.sent(s.Alice.Edit(s.Room(name), target, text))
}

// UserReacts reacts to a message.
func (s *Scenario) UserReacts(name string, target id.EventID, key string) id.EventID {
	s.t.Helper()
	return s.sent(s.Alice.React(s.Room(name), target, key))
}

// UserDeletes redacts a message or a reaction.
func (s *Scenario) UserDeletes(name string, target id.EventID) id.EventID {
	s.t.Helper()
	return s.sent(s.Alice.Redact(s.Room(name), target))
}

// said are the texts that the user's rooms show as the contact's.
func (s *Scenario) said(ghost id.UserID, room id.RoomID) []string {
	var texts []string
	for _, ev := range s.Alice.Messages(room) {
		if ev.Sender == ghost {
			texts = append(texts, ev.Body())
		}
	}
	return texts
}

// RoomShows waits until the room with a contact also shows these texts as the contact's, and checks that it shows everything so
// far once and in order. It returns the last one.
func (s *Scenario) RoomShows(name string, texts ...string) *homeserver.Event {
	s.t.Helper()
	c, ghost, room := s.contact(name), s.Ghost(name), s.Room(name)
	c.shown = append(c.shown, texts...)
	ctx, cancel := s.step()
	defer cancel()
	last, err := s.Alice.WaitMessage(ctx, room, countTo(len(c.shown), ghost))
	if all := s.said(ghost, room); err != nil || !slices.Equal(all, c.shown) {
		s.t.Fatalf("the room with %s shows\n\t%s\ninstead of\n\t%s\n%v", name, strings.Join(all, "\n\t"), strings.Join(c.shown, "\n\t"), err)
	}
	return last
}

// NewRoomShows waits until there is another room with a contact than the old one, joins it, and goes on as RoomShows does with what this room shows.
func (s *Scenario) NewRoomShows(name string, old id.RoomID, texts ...string) id.RoomID {
	s.t.Helper()
	ghost := s.Ghost(name)
	var room homeserver.RoomView
	s.within("a new room with "+name, func(ctx context.Context) (err error) {
		room, err = s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID != old && v.Has(ghost) && v.Type == "" })
		return err
	})
	if room.Membership == event.MembershipInvite {
		if err := s.Alice.Join(room.ID); err != nil {
			s.t.Fatal(err)
		}
	}
	s.contact(name).shown = nil
	s.RoomShows(name, texts...)
	return room.ID
}

// countTo matches the n-th message of a sender. A wait may offer an event more than once.
func countTo(n int, sender id.UserID) func(*homeserver.Event) bool {
	seen := map[id.EventID]bool{}
	return func(ev *homeserver.Event) bool {
		if ev.Sender == sender {
			seen[ev.ID] = true
		}
		return len(seen) >= n
	}
}

// NothingElseWasSaid checks both sides of every conversation begun: a last message is sent each way, and as order is kept, whatever
// would come too much comes before it.
func (s *Scenario) NothingElseWasSaid() {
	s.t.Helper()
	for _, person := range people {
		c := s.contacts[person.name]
		if len(c.shown)+len(c.received) == 0 {
			continue
		}
		s.ServiceSends(c.name, "the last word of "+c.name)
		s.RoomShows(c.name, "the last word of "+c.name)
		s.UserSends(c.name, "the last word to "+c.name)
		s.ContactReceives(c.name, "the last word to "+c.name)
	}
}

// UserTellsBot writes to the bot in a management room, which is made the first time.
func (s *Scenario) UserTellsBot(text string) {
	s.t.Helper()
	if s.bot == "" {
		room, err := s.Alice.CreateRoom(homeserver.RoomOptions{Direct: true, Invite: []id.UserID{s.Bot()}})
		if err != nil {
			s.t.Fatal(err)
		}
		s.within("the bot to join", func(ctx context.Context) error {
			_, err := s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID == room && v.Joined(s.Bot()) })
			return err
		})
		s.bot = room
	}
	if _, err := s.Alice.SendText(s.bot, text); err != nil {
		s.t.Fatal(err)
	}
}

// BotSays waits for a message of the bot in the management room that contains a text and comes after those found before. It
// returns the message's body.
func (s *Scenario) BotSays(part string) string {
	s.t.Helper()
	var found *homeserver.Event
	s.within("the bot to say "+part, func(ctx context.Context) (err error) {
		found, err = s.Alice.WaitMessage(ctx, s.bot, func(ev *homeserver.Event) bool {
			return ev.Index > s.botSeen && ev.Sender == s.Bot() && strings.Contains(ev.Body(), part)
		})
		return err
	})
	s.botSeen = found.Index
	return found.Body()
}

// RoomTells waits for a notice of the bot in the room with a contact that contains a text.
func (s *Scenario) RoomTells(name, part string) *homeserver.Event {
	s.t.Helper()
	room := s.Room(name)
	var found *homeserver.Event
	s.within("a notice in the room with "+name, func(ctx context.Context) (err error) {
		found, err = s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Sender == s.Bot() && ev.MsgType() == event.MsgNotice && strings.Contains(ev.Body(), part)
		})
		return err
	})
	return found
}
