package scenario_test

import (
	"context"
	"database/sql"
	"net/http"
	"slices"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/scenario"
)

// forgetEvents makes the bridge's database forget which events the homeserver has delivered. The bridge must not run.
func forgetEvents(t *testing.T, s *scenario.Scenario) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+s.File("bridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec(`DELETE FROM messenger_matrix_inbox`); err != nil {
		t.Fatal(err)
	}
}

func TestAnEventThatIsHandledAgainChangesNothingInTheOutbox(t *testing.T) {
	opts, points := reporting(t)
	s := friends(t, opts)
	message := s.UserSends("mary", "at eigth")
	s.ContactReceives("mary", "at eigth")
	s.StatusIs("mary", message, event.MessageStatusSuccess)
	edit := s.UserEdits("mary", message, "at eight")
	s.ContactReceives("mary", "* at eight")
	s.StatusIs("mary", edit, event.MessageStatusSuccess)
	s.KillBridge()
	forgetEvents(t, s)
	s.StartBridge()
	within(t, func(ctx context.Context) error {
		answers, err := s.Appservice.Repeat(ctx, 20)
		if err == nil && (len(answers) < 2 || slices.Max(answers) != http.StatusOK) {
			t.Errorf("to what the homeserver has repeated the answers are %v", answers)
		}
		return err
	})
	s.BridgeHasHandledWhatIsIn("mary")
	s.NothingElseWasSaid()
	points.sentOnce(t, message)
	points.sentOnce(t, edit)
}
