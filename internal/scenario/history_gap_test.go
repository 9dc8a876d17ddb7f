package scenario_test

import (
	"fmt"
	"slices"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// saidBy are n lines of a contact.
func saidBy(name string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("%s: elsewhere %d", name, i+1))
	}
	return lines
}

func TestAMessageOfASessionWithoutArchiveHidesNoGap(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{"matrix": {"message_status_events": true}}})
	s.LoginWithToken()
	known := []string{"mary: hello", "me: hi", "mary: how are you?"}
	converse(s, "mary", known...)
	s.StopBridge()
	scenario.ASecondPasses() // the archive's times are whole seconds
	missed := saidBy("mary", 12)
	s.UserIsElsewhere(true)
	s.TalkElsewhere("mary", missed...)
	s.UserIsElsewhere(false)
	// The next session gets no archive, and so does not know what it missed.
	s.Switch(func(sw *messengerd.Switches) { sw.Archive.Commands = "off" })
	s.StartBridge()
	sent := s.UserSends("mary", "are you there?")
	s.ContactReceives("mary", "are you there?")
	s.StatusIs("mary", sent, event.MessageStatusSuccess)
	s.RoomReads("mary", slices.Concat(known, []string{"me: are you there?"})...)
	s.Switch(func(sw *messengerd.Switches) { sw.Archive.Commands = "both" })
	s.ConnectionBreaks()
	// Its archive shows that message and nine before it.
	want := slices.Concat(known, []string{"me: are you there?", "bot: …"}, missed[3:])
	s.RoomReads("mary", want...)
	s.LastWords("mary", want...)
}

func TestWhatWasMissedIsReadBeforeWhatWaitsIsWritten(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	known := []string{"mary: hello", "me: hi", "mary: how are you?"}
	converse(s, "mary", known...)
	s.StopBridge()
	scenario.ASecondPasses() // the archive's times are whole seconds
	s.Switch(func(sw *messengerd.Switches) {
		sw.SASLFailure = messengerd.SASLFailure{Condition: "temporary-auth-failure", Stream: "close", Always: true}
	})
	missed := saidBy("mary", 8)
	s.UserIsElsewhere(true)
	s.TalkElsewhere("mary", missed...)
	s.UserIsElsewhere(false)
	s.StartBridge()
	texts := []string{"one", "two", "three", "four", "five"}
	s.UserSends("mary", texts...)
	s.BridgeHasHandledWhatIsIn("mary") // with a message of an unknown kind, and a notice that says so
	s.Switch(func(sw *messengerd.Switches) { sw.SASLFailure.Always = false })
	// With the five that wait the archive would show no more than five of the eight that were missed.
	s.ContactReceives("mary", texts...)
	want := slices.Concat(known, []string{"me: one", "me: two", "me: three", "me: four", "me: five", "me: unknown", "bot: …"}, missed)
	s.RoomReads("mary", want...)
	s.LastWords("mary", want...)
}
