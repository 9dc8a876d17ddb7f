package scenario_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// queuedEarlier makes what waits in the bridge's database wait for longer. The bridge must not run.
func queuedEarlier(t *testing.T, s *scenario.Scenario, by time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+s.File("bridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.Exec(`UPDATE messenger_outbox SET queued_at=queued_at-$1 WHERE state IN ('queued', 'written')`, by.Milliseconds())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n == 0 {
		t.Fatalf("nothing waits (%v)", err)
	}
}

func TestWhatCouldNotBeSentForTooLongIsGivenUpAndTold(t *testing.T) {
	opts, _ := reporting(t)
	opts.Network = map[string]any{"expire": "48h"}
	s := friends(t, opts)
	s.ServiceGoesDown()
	old := s.UserSends("mary", "happy new year")
	s.BridgeHasHandledWhatIsIn("mary")
	s.KillBridge()
	queuedEarlier(t, s, 49*time.Hour)
	s.StartBridge()
	s.NoticeOn("mary", old, "could not be sent for too long")
	statusesAre(s, old, event.MessageStatusPending, event.MessageStatusFail)
	fresh := s.UserSends("mary", "still there?")
	s.BridgeHasHandledWhatIsIn("mary")
	s.ServiceComesBack()
	s.ContactReceives("mary", "still there?")
	s.StatusIs("mary", fresh, event.MessageStatusSuccess)
	s.NothingElseWasSaid()
}

func TestAMessageThatTheServiceEndsTheConnectionOverIsNotSentAgainButTold(t *testing.T) {
	tries := &heard{text: "<body>xxx", fromClient: true}
	opts, _ := reporting(t)
	opts.Trace = tries.trace
	opts.Network = map[string]any{"uncertain": "resend"}
	s := friends(t, opts)
	session := s.NewerSession(0)
	switches(s, func(sw *messengerd.Switches) { sw.LongestStanza = 2000 })
	before := s.UserSends("mary", "before it")
	s.ContactReceives("mary", "before it")
	s.StatusIs("mary", before, event.MessageStatusSuccess)
	long := s.UserSends("mary", strings.Repeat("x", 2500))
	s.NewerSession(session)
	s.NoticeOn("mary", long, "ended the connection over it")
	after := s.UserSends("mary", "after it")
	s.ContactReceives("mary", "after it")
	s.StatusIs("mary", after, event.MessageStatusSuccess)
	statusesAre(s, long, event.MessageStatusPending, event.MessageStatusFail)
	if n := tries.times(); n > 1 {
		t.Errorf("it was sent %d times", n)
	}
	s.NothingElseWasSaid()
}
