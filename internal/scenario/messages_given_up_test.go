package scenario_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

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

// outboxHas waits until the bridge's table of messages to be sent has a row in a state.
func outboxHas(t *testing.T, s *scenario.Scenario, state string) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		for !strings.Contains(strings.Join(s.Tables()["messenger_outbox"], "\n"), "| "+state+" |") {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond): // a database tells nobody of a change
			}
		}
		return nil
	})
}

// cardsAreRead waits until the bridge has asked for the pictures of contacts.
func cardsAreRead(s *scenario.Scenario, jids ...string) {
	s.T().Helper()
	const fetchedAt = 13 // the column vcard_fetched_at
	s.TableHas("messenger_contact", func(rows []string) bool {
		read := 0
		for _, row := range rows {
			columns := strings.Split(row, " | ")
			if len(columns) > fetchedAt && columns[fetchedAt] != "0" && slices.ContainsFunc(jids, func(jid string) bool { return strings.HasPrefix(columns[1], jid) }) {
				read++
			}
		}
		return read == len(jids)
	})
}

func TestWhatCouldNotBeSentForTooLongIsGivenUpAndToldOnEachEvent(t *testing.T) {
	numbers := scenario.FreeAddress(t)
	opts, points := reporting(t)
	opts.Network = map[string]any{"expire": "1h", "metrics": map[string]any{"listen": numbers}}
	s := friends(t, opts)
	s.ServiceSends("john", "hello")
	s.RoomShows("john", "hello")
	cardsAreRead(s, "2000@", "3000@") // so that the message is the next stanza
	s.Switch(func(sw *messengerd.Switches) { sw.Faults.Close = true })
	written := s.UserSends("john", "did you get this?") // the service cuts the connection over it
	outboxHas(t, s, "written")
	s.SessionHasEnded()
	s.ServiceGoesDown()
	queued := []id.EventID{s.UserSends("mary", "one"), s.UserSends("mary", "two")}
	s.BridgeHasHandledWhatIsIn("mary")
	s.KillBridge()
	queuedEarlier(t, s, 2*time.Hour)
	s.StartBridge()

	s.NoticeOn("john", written, "does not tell whether it arrived")
	s.NoticeOn("mary", queued[0], "could not be sent for too long and was given up. Send it again if it still matters")
	s.StatusIs("john", written, event.MessageStatusFail)
	for _, message := range queued {
		s.StatusIs("mary", message, event.MessageStatusFail)
		statusesAre(s, message, event.MessageStatusPending, event.MessageStatusFail)
		points.saidOnce(t, message, `"PERM_FAILURE"`)
	}
	if notices := s.NoticesOn("mary", queued[1]); len(notices) != 0 {
		t.Errorf("the same reason is told again: %q", notices)
	}
	for _, line := range []string{
		`matrix_messenger_messages_total{direction="to_messenger",result="expired"} 3`,
		`matrix_messenger_uncertain_total{outcome="reported"} 1`,
	} {
		if now := metrics(t, numbers); !strings.Contains(now, line) {
			t.Errorf("%s is not among the numbers\n%s", line, now)
		}
	}
	fresh := s.UserSends("mary", "three")
	s.BridgeHasHandledWhatIsIn("mary")
	s.ServiceComesBack()
	s.ContactReceives("mary", "three")
	s.StatusIs("mary", fresh, event.MessageStatusSuccess)
	s.UserSends("john", "did you get what I asked?")
	s.ContactReceives("john", "did you get what I asked?")
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
