package scenario_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside/messenger"
)

func TestWhatWasSaidElsewhereWhileTheBridgeWasDownIsFilledIn(t *testing.T) {
	lines := talk("mary", 24)
	for name, elsewhere := range map[string]int{"nothing": 0, "seven messages": 7, "ten messages": 10, "fourteen messages": 14} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{})
			s.LoginWithToken()
			converse(s, "mary", lines[:10]...)
			s.RoomReads("mary", lines[:10]...)
			s.StopBridge()
			scenario.ASecondPasses() // the archive's times are whole seconds
			s.UserIsElsewhere(true)
			s.TalkElsewhere("mary", lines[10:10+elsewhere]...)
			s.UserIsElsewhere(false)
			s.StartBridge()
			want := slices.Clone(lines[:10])
			if elsewhere >= 10 { // the archive does not reach back to what is known
				want = append(want, "bot: …")
			}
			want = append(want, lines[10+max(0, elsewhere-10):10+elsewhere]...)
			s.RoomReads("mary", want...)
			s.LastWords("mary", want...)
		})
	}
}

// converse lets both sides talk through the bridge.
func converse(s *scenario.Scenario, name string, lines ...string) {
	for i, line := range lines {
		if text, mine := strings.CutPrefix(line, scenario.Me); mine {
			s.UserSends(name, text)
			s.ContactReceives(name, text)
		} else {
			s.ServiceSends(name, strings.TrimPrefix(line, name+": "))
		}
		s.RoomReads(name, lines[:i+1]...)
	}
}

func TestNothingIsLostOrRepeatedWhoeverIsDownWhileBothSidesTalk(t *testing.T) {
	known := []string{"mary: hello", "me: hi", "mary: how are you?"}
	elsewhere := []string{"me: on the phone now", "mary: ok", "mary: ok"}
	stored := []string{"mary: ok", "mary: are you still there?"}
	scenario.Play(
		t, scenario.Options{},
		scenario.Step{Name: "the user signs in", Do: func(s *scenario.Scenario) { s.LoginWithToken() }},
		scenario.Step{Name: "both talk", Do: func(s *scenario.Scenario) { converse(s, "mary", known...) }},
		scenario.Step{Name: "the bridge stops", Do: func(s *scenario.Scenario) {
			s.SessionIsUp()
			s.StopBridge()
		}},
		scenario.Step{Name: "both talk elsewhere", Do: func(s *scenario.Scenario) {
			s.UserIsElsewhere(true)
			s.TalkElsewhere("mary", elsewhere...)
			s.UserIsElsewhere(false)
		}},
		scenario.Step{Name: "Mary writes on", Do: func(s *scenario.Scenario) { s.TalkElsewhere("mary", stored...) }},
		scenario.Step{Name: "the bridge starts", Do: func(s *scenario.Scenario) { s.StartBridge() }},
		scenario.Step{Name: "the room shows all of it", Do: func(s *scenario.Scenario) {
			s.RoomReads("mary", slices.Concat(known, elsewhere, stored)...)
		}},
		scenario.Step{Name: "the connection breaks", Do: func(s *scenario.Scenario) { s.ConnectionBreaks() }},
		scenario.Step{Name: "the room stays as it is", Do: func(s *scenario.Scenario) {
			s.SessionIsUp()
			s.LastWords("mary", slices.Concat(known, elsewhere, stored)...)
		}},
	)
}

func TestOkFiveTimesInARowIsFiveMessages(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	ok := slices.Repeat([]string{"mary: ok"}, 3)
	s.TalkElsewhere("mary", ok...)
	s.RoomReads("mary", ok...)
	s.StopBridge()
	s.UserIsElsewhere(true)
	more := []string{"mary: ok", "mary: ok", "me: ok", "me: ok"}
	s.TalkElsewhere("mary", more...)
	s.UserIsElsewhere(false)
	s.TalkElsewhere("mary", "mary: ok")
	s.StartBridge()
	all := slices.Concat(ok, more, []string{"mary: ok"})
	s.RoomReads("mary", all...)
	s.LastWords("mary", all...)
}

func TestClocksThatDifferByTwoMinutesDoNotMatter(t *testing.T) {
	for name, skew := range map[string]time.Duration{"ahead": 2 * time.Minute, "behind": -2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{Clock: func() time.Time { return time.Now().Add(skew) }})
			s.LoginWithToken()
			lines := []string{"mary: one", "me: two", "mary: three"}
			converse(s, "mary", lines...)
			s.StopBridge()
			s.UserIsElsewhere(true)
			s.TalkElsewhere("mary", "me: four", "mary: five")
			s.UserIsElsewhere(false)
			s.TalkElsewhere("mary", "mary: six")
			s.StartBridge()
			lines = append(lines, "me: four", "mary: five", "mary: six")
			s.RoomReads("mary", lines...)
			s.ConnectionBreaks()
			s.SessionIsUp()
			s.LastWords("mary", lines...)
		})
	}
}

func TestTheCommandHistoryShowsWhatTheUserWroteElsewhere(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.TalkElsewhere("mary", "mary: hello")
	s.RoomReads("mary", "mary: hello")
	s.TalkElsewhere("mary", "me: written on the phone", "me: and one more")
	s.UserTellsBot("history mary")
	s.BotSays("2 messages from Messenger's archive are being added")
	s.RoomReads("mary", "mary: hello", "me: written on the phone", "me: and one more")
	s.UserTellsBot("history mary")
	s.BotSays("nothing that this chat does not show")
	s.UserTellsBot("history nobody")
	s.BotSays("There is no contact called")
	s.LastWords("mary", "mary: hello", "me: written on the phone", "me: and one more")
}

func TestStoredMessagesThatAreDeliveredAgainAreShownOnce(t *testing.T) {
	const stored = `<message xmlns="jabber:client" type="chat" from="PERSON/phone"><body>ok</body><delay xmlns="urn:xmpp:delay" stamp="2026-01-02T03:04:05Z"/></message>`
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"archive": map[string]any{"enabled": false}}})
	s.LoginWithToken()
	s.RawFromService("mary", stored)
	s.RawFromService("mary", stored) // twice in one session: said twice
	s.RoomReads("mary", "mary: ok", "mary: ok")
	s.ConnectionBreaks()
	s.SessionIsUp()
	s.RawFromService("mary", stored)
	s.RawFromService("mary", stored)
	s.RawFromService("mary", stored) // a third one is new
	s.RoomReads("mary", "mary: ok", "mary: ok", "mary: ok")
	s.LastWords("mary", "mary: ok", "mary: ok", "mary: ok")
}

func TestAMessageWithoutConfirmationIsLookedForInTheArchive(t *testing.T) {
	for name, fault := range map[string]func(*messengerd.Switches){
		"it had arrived":     func(sw *messengerd.Switches) { sw.Ping = "silence" },
		"it had not arrived": func(sw *messengerd.Switches) { sw.Faults.Close = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{Network: map[string]any{"uncertain": "report"}})
			s.LoginWithToken()
			converse(s, "mary", "mary: hello", "me: hi")
			s.Switch(fault)
			arrives := name == "it had arrived"
			s.UserSends("mary", "is this the last?")
			if arrives {
				s.ContactReceives("mary", "is this the last?")
			} else {
				s.SessionHasEnded()
			}
			s.Switch(func(sw *messengerd.Switches) { sw.Ping, sw.Faults.Close = "service-unavailable", false })
			s.ConnectionBreaks()
			if !arrives {
				s.ContactReceives("mary", "is this the last?")
			}
			s.SessionIsUp()
			s.LastWords("mary", "mary: hello", "me: hi", "me: is this the last?")
		})
	}
}

func TestTheCommandHistoryInAChatIsAboutThatChat(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.TalkElsewhere("mary", "mary: hello")
	s.RoomReads("mary", "mary: hello")
	s.TalkElsewhere("john", "me: this is about somebody else")
	s.TalkElsewhere("mary", "me: written on the phone")
	s.UserSends("mary", "!messenger history")
	s.RoomTells("mary", "One message from Messenger's archive is being added")
	s.RoomShowsLine("mary", "me: written on the phone")
	if rooms := s.RoomsWith("john"); rooms != 0 {
		t.Errorf("John has %d rooms", rooms)
	}
}

func TestALongMessageInPartsIsNotTakenForNewOnesAfterABreak(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.TalkElsewhere("mary", "mary: tell me everything")
	s.RoomReads("mary", "mary: tell me everything")
	long := strings.TrimSpace(strings.Repeat("and then some more of it, ", 2000))
	profile, err := messenger.NewProfile(messenger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	parts := profile.Split(long)
	if len(parts) < 3 {
		t.Fatalf("the text is only %d messages long", len(parts))
	}
	s.UserSends("mary", long)
	s.ContactReceives("mary", parts...)
	s.ConnectionBreaks()
	s.SessionIsUp()
	s.LastWords("mary", "mary: tell me everything", "me: "+long)
}

func TestAMessageWithoutConfirmationArrivesOnceHoweverTheBridgeIsKilled(t *testing.T) {
	scenario.Play(
		t, scenario.Options{},
		scenario.Step{Name: "both talk", Do: func(s *scenario.Scenario) {
			s.LoginWithToken()
			converse(s, "mary", "mary: hello", "me: hi")
		}},
		scenario.Step{Name: "the service stops confirming", Do: func(s *scenario.Scenario) {
			s.SessionIsUp()
			s.Switch(func(sw *messengerd.Switches) { sw.Ping = "silence" })
		}},
		scenario.Step{Name: "the user writes", Do: func(s *scenario.Scenario) { s.UserSends("mary", "one") }},
		scenario.Step{Name: "Mary reads it", Do: func(s *scenario.Scenario) { s.ContactReceives("mary", "one") }},
		scenario.Step{Name: "the service confirms again", Do: func(s *scenario.Scenario) {
			s.Switch(func(sw *messengerd.Switches) { sw.Ping = "service-unavailable" })
			s.ConnectionBreaks()
		}},
		scenario.Step{Name: "the user writes on", Do: func(s *scenario.Scenario) { s.UserSends("mary", "two", "three") }},
		scenario.Step{Name: "Mary reads on", Do: func(s *scenario.Scenario) {
			s.ContactReceives("mary", "two", "three")
			s.LastWords("mary", "mary: hello", "me: hi", "me: one", "me: two", "me: three")
		}},
	)
}
