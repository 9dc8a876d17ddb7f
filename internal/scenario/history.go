package scenario

import (
	"context"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/messengerd"
)

// Me begins a line of a conversation that the user wrote. Lines of a contact begin with the contact's name and a colon.
const Me = "me: "

// Archived puts a conversation with a contact into the service's archive, one line every second from the given time on; nobody receives it.
func (s *Scenario) Archived(name string, from time.Time, lines ...string) {
	s.t.Helper()
	for i, line := range lines {
		writer, reader := s.contact(name).jid, userEmail
		text, mine := strings.CutPrefix(line, Me)
		if mine {
			writer, reader = reader, writer
		} else {
			text = strings.TrimPrefix(line, name+": ")
		}
		if err := s.Service.AddHistory(writer, reader, text, from.Add(time.Duration(i)*time.Second)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// UserIsElsewhere opens or closes another Messenger program of the user. While it is open, it receives what contacts write, and what comes in without the bridge is not stored.
func (s *Scenario) UserIsElsewhere(open bool) {
	s.t.Helper()
	state := "offline"
	if open {
		state = "available"
	}
	if err := s.User().SetPresence(state, ""); err != nil {
		s.t.Fatal(err)
	}
}

// TalkElsewhere lets a contact and the user, in another Messenger program, talk with each other.
func (s *Scenario) TalkElsewhere(name string, lines ...string) {
	s.t.Helper()
	c := s.contact(name)
	for _, line := range lines {
		if text, mine := strings.CutPrefix(line, Me); mine {
			if err := s.User().SendMessage(c.jid, text); err != nil {
				s.t.Fatal(err)
			}
			c.received = append(c.received, text)
			continue
		}
		s.ServiceSends(name, strings.TrimPrefix(line, name+": "))
	}
}

// Conversation is what the room with a contact shows, a line for each message: the user's, the contact's, and "bot: " with those of the bot.
func (s *Scenario) Conversation(name string) (lines []string) {
	s.t.Helper()
	room, ghost := s.Room(name), s.Ghost(name)
	own := id.NewUserID(s.name()+"_"+id.EncodeUserLocalpart("1000@"+serviceDomain), s.HS.Domain())
	for _, ev := range s.Alice.Messages(room) {
		switch ev.Sender {
		case ghost:
			lines = append(lines, name+": "+ev.Body())
		case s.Bot():
			lines = append(lines, "bot: "+ev.Body())
		case s.Alice.ID, own:
			lines = append(lines, Me+ev.Body())
		default:
			lines = append(lines, ev.Sender.String()+": "+ev.Body())
		}
	}
	return lines
}

// RoomReads waits until the room with a contact shows a conversation, and checks that it shows exactly that. A line "bot: …" stands for any
// message of the bot.
func (s *Scenario) RoomReads(name string, lines ...string) {
	s.t.Helper()
	room := s.Room(name)
	ctx, cancel := s.step()
	defer cancel()
	seen := map[id.EventID]bool{}
	_, err := s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
		seen[ev.ID] = true
		return len(seen) >= len(lines)
	})
	all := s.Conversation(name)
	same := slices.EqualFunc(all, lines, func(got, want string) bool {
		return got == want || want == "bot: …" && strings.HasPrefix(got, "bot: ")
	})
	if err != nil || !same {
		s.t.Fatalf("the room with %s reads\n\t%s\ninstead of\n\t%s\n%v", name, strings.Join(all, "\n\t"), strings.Join(lines, "\n\t"), err)
	}
	c := s.contact(name)
	c.shown = nil
	for _, line := range lines {
		if text, theirs := strings.CutPrefix(line, name+": "); theirs {
			c.shown = append(c.shown, text)
		}
	}
}

// LastWords lets both sides say one more thing, and checks that the room then reads the given lines and those: as order is kept, whatever would come too much comes before them.
func (s *Scenario) LastWords(name string, lines ...string) {
	s.t.Helper()
	s.ServiceSends(name, "the last word")
	lines = append(slices.Clone(lines), name+": the last word")
	s.RoomReads(name, lines...)
	s.UserSends(name, "the very last word")
	s.ContactReceives(name, "the very last word")
	s.RoomReads(name, append(lines, Me+"the very last word")...)
}

// Switch changes the service's switches.
func (s *Scenario) Switch(change func(*messengerd.Switches)) {
	s.t.Helper()
	if err := s.Service.SetSwitches(change); err != nil {
		s.t.Fatal(err)
	}
}

// RawFromService sends a stanza to the user's sessions as it is; PERSON in it stands for the contact's JID.
func (s *Scenario) RawFromService(name, stanza string) {
	s.t.Helper()
	if s.Service.SendRaw(userEmail, strings.ReplaceAll(stanza, "PERSON", s.contact(name).jid)) == 0 {
		s.t.Fatal("the user has no session to send a stanza to")
	}
}

// UserHasReadUpTo waits until the user has read the message with this text in the room with a contact.
func (s *Scenario) UserHasReadUpTo(name, text string) {
	s.t.Helper()
	room := s.Room(name)
	s.within("the user to have read “"+text+"”", func(ctx context.Context) error {
		ev, err := s.Alice.WaitText(ctx, room, text)
		if err != nil {
			return err
		}
		return s.HS.WaitReceipt(ctx, room, s.Alice.ID, ev.ID)
	})
}

// RoomShowsAtLast waits until a text stands last in the room with a contact.
func (s *Scenario) RoomShowsAtLast(name, text string) {
	s.t.Helper()
	room := s.Room(name)
	s.within("“"+text+"” in the room with "+name, func(ctx context.Context) error {
		_, err := s.Alice.WaitText(ctx, room, text)
		return err
	})
	if all := s.Conversation(name); !strings.HasSuffix(all[len(all)-1], text) {
		s.t.Fatalf("the room with %s ends with %q", name, all[len(all)-1])
	}
}

// RoomsWith counts the user's rooms with a contact.
func (s *Scenario) RoomsWith(name string) (count int) {
	s.t.Helper()
	for _, room := range slices.Concat(s.Alice.Rooms(), s.Alice.Invites()) {
		if room.Has(s.Ghost(name)) {
			count++
		}
	}
	return count
}

// SessionHasEnded waits until the user has no session.
func (s *Scenario) SessionHasEnded() {
	s.t.Helper()
	s.awaitAccount(s.User(), "the end of the user's session", func() bool { return len(s.User().Sessions()) == 0 })
}

// ASecondPasses waits until the clock shows another second, and a little longer.
func ASecondPasses() {
	time.Sleep(1100 * time.Millisecond)
}

// RoomShowsLine waits until the room with a contact shows a line of a conversation, at whatever place.
func (s *Scenario) RoomShowsLine(name, line string) {
	s.t.Helper()
	_, text, _ := strings.Cut(line, ": ")
	room := s.Room(name)
	s.within("“"+line+"”", func(ctx context.Context) error {
		_, err := s.Alice.WaitText(ctx, room, text)
		return err
	})
	if !slices.Contains(s.Conversation(name), line) {
		s.t.Fatalf("the room with %s reads %q", name, s.Conversation(name))
	}
}
