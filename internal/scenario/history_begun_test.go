package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"matrix-messenger/internal/scenario"
)

func TestAChatThatBeganWhileNobodyWasThereIsFoundInTheArchive(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.StopBridge()
	s.UserIsElsewhere(true)
	s.TalkElsewhere("john", "john: are you there?", scenario.Me+"yes, on the phone")
	s.UserIsElsewhere(false)
	s.StartBridge()
	s.RoomReads("john", "john: are you there?", scenario.Me+"yes, on the phone")
}

func TestWhatADeclinedStrangerWroteIsNotShownAfterwards(t *testing.T) {
	for name, decided := range map[string]func(s *scenario.Scenario){
		"declined": func(s *scenario.Scenario) {
			s.UserLeaves(s.UserIsInvited("zoe").ID)
			s.RosterOf("zoe", "none")
		},
		"not decided": func(s *scenario.Scenario) { s.UserIsInvited("zoe") },
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{})
			s.LoginWithToken()
			s.StrangerAsks("zoe", "Zoe", "")
			s.ServiceSends("zoe", "rude one", "rude two")
			decided(s)
			everythingSoFarIsHandled(s)
			rooms := s.RoomsWith("zoe")
			s.StopBridge()
			// Of the chats that the archive lists, the one that began last is the first to be looked at: this one comes
			// after Zoe's.
			s.Archived("john", time.Now().Add(-time.Hour), "john: are you there?")
			s.StartBridge()
			s.RoomReads("john", "john: are you there?")
			everythingSoFarIsHandled(s)
			if now := s.RoomsWith("zoe"); now != rooms {
				t.Errorf("there were %d rooms with somebody who is not accepted, and now there are %d", rooms, now)
			}
			if name == "not decided" {
				if shown := s.Conversation("zoe"); len(shown) > 1 {
					t.Errorf("the room shows %q", shown)
				}
			}
		})
	}
}

func TestOfADeclinedPersonNothingIsShownHoweverMuchTheyWrote(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("zoe", "hello")
	s.RoomShows("zoe", "hello")
	s.StrangerAsks("zoe", "Zoe", "")
	s.TableHas("messenger_request", func(rows []string) bool { return len(rows) == 1 })
	texts := make([]string, 65) // more than are kept for an acceptance
	for n := range texts {
		texts[n] = fmt.Sprint("rude ", n)
	}
	s.ServiceSends("zoe", texts...)
	s.TableHas("messenger_held_message", func(rows []string) bool {
		return slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row, texts[len(texts)-1]+`"`) })
	})
	s.UserTellsBot("decline 4000@messenger.example")
	s.RosterOf("zoe", "none")
	s.TableHas("messenger_held_message", func(rows []string) bool { return len(rows) == 0 })
	s.RestartBridge()
	s.TableHas("messenger_archive_read", func(rows []string) bool { return strings.Contains(strings.Join(rows, "\n"), "4000@") })
	everythingSoFarIsHandled(s)
	s.BridgeKnowsWhatTheRoomsHave()
	for _, shown := range s.Conversation("zoe") {
		if slices.Contains(texts[40:], strings.TrimPrefix(shown, "zoe: ")) { // the first may have come before the request was known
			t.Errorf("the room shows %q", shown)
		}
	}
}

func TestTheFirstMessageOfAChatIsFoundThoughItHasARoom(t *testing.T) {
	for name, test := range map[string]struct {
		who   string
		begin func(s *scenario.Scenario)
	}{
		"the user has started it": {"john", func(s *scenario.Scenario) {
			s.UserTellsBot("start-chat " + s.Contact("john").JID())
			s.Room("john")
		}},
		"the contact was accepted": {"zoe", func(s *scenario.Scenario) {
			s.StrangerAsks("zoe", "Zoe", "")
			s.UserJoins(s.UserIsInvited("zoe").ID)
			s.RosterOf("zoe", "both")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{})
			s.LoginWithToken()
			test.begin(s)
			everythingSoFarIsHandled(s)
			before := s.Conversation(test.who)
			s.StopBridge()
			s.UserIsElsewhere(true)
			s.TalkElsewhere(test.who, test.who+": are you there?")
			s.UserIsElsewhere(false)
			s.StartBridge()
			want := append(before, test.who+": are you there?")
			s.RoomReads(test.who, want...)
			s.RestartBridge()
			s.SessionIsUp()
			s.LastWords(test.who, want...)
		})
	}
}
