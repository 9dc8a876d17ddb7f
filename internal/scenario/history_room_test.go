package scenario_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// talk are n lines of which every third is the user's.
func talk(name string, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		who := name + ": "
		if i%3 == 1 {
			who = scenario.Me
		}
		lines[i] = fmt.Sprintf("%sline %d", who, i+1)
	}
	return lines
}

func noRoomsAtLogin() map[string]any {
	return map[string]any{"rooms": map[string]any{"at_login": "none"}}
}

func TestANewRoomShowsTheLastTenMessagesWithTheirTimesAndAsRead(t *testing.T) {
	for _, puppet := range []bool{true, false} {
		t.Run(fmt.Sprintf("double puppet %v", puppet), func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{NoDoublePuppet: !puppet})
			begin := time.Now().Add(-50 * time.Hour).Truncate(time.Second)
			lines := talk("mary", 12)
			s.Archived("mary", begin, lines...)
			s.LoginWithToken()
			s.RoomReads("mary", lines[2:]...)
			for i, ev := range s.Alice.Messages(s.Room("mary")) {
				if want := begin.Add(time.Duration(i+2) * time.Second); !ev.Time().Equal(want) {
					t.Errorf("“%s” is shown with the time %v instead of %v", ev.Body(), ev.Time(), want)
				}
			}
			if puppet {
				s.UserHasReadUpTo("mary", "line 12")
			}
			s.LastWords("mary", lines[2:]...)
		})
	}
}

func TestTheMessageThatMakesARoomComesAfterThoseOfTheTimeBefore(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: noRoomsAtLogin()})
	lines := talk("mary", 12)
	s.Archived("mary", time.Now().Add(-50*time.Hour), lines...)
	s.LoginWithToken()
	s.ServiceSends("mary", "are you there?", "hello?")
	s.ServiceSends("john", "nobody waits for Mary's archive")
	s.RoomShows("john", "nobody waits for Mary's archive")
	// The archive's ten include what has just been written, however much of it that is when it is read.
	s.RoomShowsAtLast("mary", "hello?")
	all := s.Conversation("mary")
	want := append(slices.Clone(lines), "mary: are you there?", "mary: hello?")
	if len(all) < 10 || !slices.Equal(all, want[len(want)-len(all):]) {
		t.Fatalf("the room reads %q", all)
	}
	s.LastWords("mary", all...)
}

func TestAChatThatTheUserStartsShowsItsEarlierMessages(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: noRoomsAtLogin()})
	lines := talk("mary", 4)
	s.Archived("mary", time.Now().Add(-50*time.Hour), lines...)
	s.LoginWithToken()
	s.UserStartsChat("mary")
	lines = append(lines, "bot: …") // that no request was needed
	s.RoomReads("mary", lines...)
	s.LastWords("mary", lines...)
}

func TestRoomsAreMadeAtLoginFromWhateverTheServiceCanTell(t *testing.T) {
	for name, change := range map[string]func(*messengerd.Switches){
		"lists and retrieval":    func(*messengerd.Switches) {},
		"retrieval only":         func(sw *messengerd.Switches) { sw.Archive.Commands = "retrieve" },
		"the start counts":       func(sw *messengerd.Switches) { sw.Archive.Start = "enforced" },
		"several collections":    func(sw *messengerd.Switches) { sw.Archive.Start, sw.Archive.Split = "enforced", time.Hour },
		"empty as an empty IQ":   func(sw *messengerd.Switches) { sw.Archive.Commands, sw.EmptyArchive = "retrieve", "iq" },
		"empty as an empty list": func(sw *messengerd.Switches) { sw.Archive.Commands, sw.EmptyArchive = "retrieve", "list" },
		"empty as an error":      func(sw *messengerd.Switches) { sw.Archive.Commands, sw.EmptyArchive = "retrieve", "item-not-found" },
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{Network: map[string]any{"limits": map[string]any{"rooms_per_minute": 6000}}})
			s.Switch(change)
			lines := talk("john", 3)
			s.Archived("john", time.Now().Add(-50*time.Hour), lines[0])
			s.Archived("john", time.Now().Add(-40*time.Hour), lines[1:]...)
			s.LoginWithToken()
			s.RoomReads("john", lines...)
			s.LastWords("john", lines...)
			if rooms := s.RoomsWith("mary"); rooms != 0 {
				t.Errorf("there are %d rooms with Mary, with whom nothing is archived", rooms)
			}
		})
	}
}

func TestWithoutAnArchiveEverythingElseWorks(t *testing.T) {
	for name, opts := range map[string]scenario.Options{
		"refused by the service": {Service: func(cfg *messengerd.Config) { cfg.Switches.Archive.Commands = "off" }},
		"switched off":           {Network: map[string]any{"archive": map[string]any{"enabled": false}}},
		"nothing is kept":        {Service: keepNothing},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, opts)
			s.LoginWithToken()
			s.ServiceSends("mary", "hello", "hello?")
			s.RoomReads("mary", "mary: hello", "mary: hello?")
			s.StopBridge()
			s.ServiceSends("mary", "while you were away")
			s.StartBridge()
			lines := []string{"mary: hello", "mary: hello?", "mary: while you were away"}
			s.RoomReads("mary", lines...)
			s.ConnectionBreaks()
			s.UserSends("mary", "after a break")
			s.ContactReceives("mary", "after a break")
			s.LastWords("mary", append(lines, "me: after a break")...)
		})
	}
}

func keepNothing(cfg *messengerd.Config) {
	no := false
	for i := range cfg.Accounts {
		cfg.Accounts[i].KeepHistory = &no
	}
}

func TestRoomsThatOutliveALoginAreNotFilledTwice(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Bridge: map[string]any{
		"cleanup_on_logout": map[string]any{"enabled": true, "manual": map[string]any{"private": "nothing"}},
	}})
	lines := talk("mary", 5)
	s.Archived("mary", time.Now().Add(-50*time.Hour), lines...)
	s.LoginWithToken()
	s.RoomReads("mary", lines...)
	converse := []string{"mary: through the bridge"}
	s.TalkElsewhere("mary", converse...)
	s.RoomReads("mary", append(lines, converse...)...)
	s.UserTellsBot("logout 1000@messenger.example")
	s.SessionHasEnded()
	scenario.ASecondPasses() // the archive's times are whole seconds
	s.UserIsElsewhere(true)
	s.TalkElsewhere("mary", "mary: while you were logged out")
	s.UserIsElsewhere(false)
	s.LoginWithToken()
	s.ServiceSends("mary", "welcome back")
	all := slices.Concat(lines, converse, []string{"mary: while you were logged out", "mary: welcome back"})
	s.RoomReads("mary", all...)
	s.LastWords("mary", all...)
}
