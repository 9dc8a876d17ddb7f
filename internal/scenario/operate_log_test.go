package scenario_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"matrix-messenger/internal/scenario"
)

func TestTheLogHoldsNoTextsAtAnyLevel(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{"logging": {"min_level": "trace"}}})
	s.Archived("john", time.Now().Add(-time.Hour), "john: SECRETTEXT of the archive")
	s.LoginWithToken()
	s.RoomReads("john", "john: SECRETTEXT of the archive")
	s.ServiceSends("mary", "SECRETTEXT from Mary")
	s.RoomShows("mary", "SECRETTEXT from Mary")
	sent := s.UserSends("mary", "SECRETTEXT from Alice")
	s.ContactReceives("mary", "SECRETTEXT from Alice")
	s.UserEdits("mary", sent, "SECRETTEXT changed")
	s.ContactReads("mary")
	s.UserReplies("mary", sent, "SECRETTEXT as a reply")
	s.ContactReads("mary")
	s.UserTellsBot("presence busy SECRETTEXT of a state")
	s.BotSays("SECRETTEXT")
	s.ServiceGoesDown()
	s.UserSends("mary", "SECRETTEXT that waits")
	s.BridgeHasHandledWhatIsIn("mary")
	s.KillBridge()
	s.ServiceComesBack()
	s.StartBridge()
	s.ContactReads("mary")
	s.UserTellsBot("export")
	s.BotSays("messenger-bridge-data")
	s.UserTellsBot("logout 1000@messenger.example")
	s.BotSays("Logged out")
	s.StopBridge()
	log, err := os.ReadFile(s.File("bridge.log"))
	if err != nil || len(log) < 10_000 {
		t.Fatalf("the log has %d bytes, %v", len(log), err)
	}
	shown := 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "SECRETTEXT") && shown < 5 {
			shown++
			t.Errorf("%s", regexp.MustCompile(`.{0,300}SECRETTEXT.{0,60}`).FindString(line))
		}
	}
}
