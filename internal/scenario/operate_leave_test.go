package scenario_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// traces are the rows, by table, in which something of a person still stands.
func traces(s *scenario.Scenario, needles ...string) []string {
	var found []string
	for table, rows := range s.Tables() {
		for _, row := range rows {
			for _, needle := range needles {
				if strings.Contains(strings.ToLower(row), strings.ToLower(needle)) {
					found = append(found, table+": "+row)
					break
				}
			}
		}
	}
	return found
}

// awaitNoTraces waits until nothing is left but in the tables that may keep it.
func awaitNoTraces(t *testing.T, s *scenario.Scenario, kept map[string]bool, needles ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
	defer cancel()
	for {
		var left []string
		for _, row := range traces(s, needles...) {
			if table, _, _ := strings.Cut(row, ":"); !kept[table] {
				left = append(left, row)
			}
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("still there:\n%s", strings.Join(left, "\n"))
		case <-time.After(50 * time.Millisecond): // a database tells nobody when it changes
		}
	}
}

// awaitEmpty waits until a table has no row.
func awaitEmpty(t *testing.T, s *scenario.Scenario, table string) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		for len(s.Tables()[table]) > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond): // as above
			}
		}
		return nil
	})
}

func TestNothingIsKeptOfSomebodyWhoLoggedOut(t *testing.T) {
	eachDatabase(t, func(t *testing.T, opts scenario.Options) {
		opts.NoDoublePuppet = true // then the user's own account has a ghost, too
		s := scenario.Start(t, opts)
		s.Archived("john", time.Now().Add(-time.Hour), "john: a text from the archive", "me: my text from the archive")
		s.LoginWithToken()
		s.UserTellsBot("help")
		s.RoomReads("john", "john: a text from the archive", "me: my text from the archive")
		s.ServiceSends("mary", "a text of Mary's")
		s.RoomShows("mary", "a text of Mary's")
		answer := s.UserSends("mary", "a text of Alice's")
		s.ContactReceives("mary", "a text of Alice's")
		s.UserReacts("mary", answer, "👍")
		s.ContactReads("mary")
		s.UserTellsBot("presence busy at the dentist")
		s.BotSays("dentist")
		room := s.Room("mary")
		rooms := []string{room.String(), s.Room("john").String()}
		if len(traces(s, "1000@messenger.example", "2000@messenger.example")) < 5 {
			t.Fatal("this test does not see what there is to find")
		}
		s.ServiceGoesDown() // so that something is queued
		s.UserSends("mary", "too late for this text")
		s.BridgeHasHandledWhatIsIn("mary")
		s.UserTellsBot("logout 1000@messenger.example")
		s.BotSays("Logged out")
		s.ServiceComesBack()
		s.FormerRoomTells(room, "this chat is not connected any more")

		person := []string{
			"1000@", "1000=40", "2000@", "2000=40", "3000@", "text of", "text from", "for this text", "dentist", "John Doe", rooms[0], rooms[1],
			"alice@contoso", "mary@contoso", "EwAo",
		}
		// Until the next start the framework may hold ghosts in memory. Handled events are remembered by their IDs, so that one that the homeserver repeats is known.
		untilStart := map[string]bool{"ghost": true, "mx_registrations": true, "messenger_left": true, "messenger_matrix_inbox": true, "mx_user_profile": true, "mx_room_state": true}
		awaitNoTraces(t, s, untilStart, person...)
		s.RestartBridge() // forgets what has come since
		s.RestartBridge() // and finds nothing more
		kept := map[string]bool{"messenger_matrix_inbox": true}
		awaitNoTraces(t, s, kept, person...)
		for _, row := range traces(s, "text of", "text from", "for this text", "1000@", "2000@") {
			t.Errorf("even there it may not stand: %s", row)
		}
		// What stays of the Matrix user: that there is one, and where they talk to the bot.
		awaitNoTraces(t, s, map[string]bool{"user": true, "mx_user_profile": true, "mx_room_state": true}, "@alice:")
		for _, row := range traces(s, "@alice:") {
			if !strings.Contains(row, s.BotRoom().String()) {
				t.Errorf("about another room than that with the bot: %s", row)
			}
		}

		// And somebody who comes back begins anew.
		s.LoginWithToken()
		s.UserStartsChat("mary")
		s.UserSends("mary", "hello again")
		s.ContactReads("mary") // whatever waited there
	})
}

func TestALogoutThatWasInterruptedIsFinishedAtTheNextStart(t *testing.T) {
	eachDatabase(t, func(t *testing.T, opts scenario.Options) {
		s := scenario.Start(t, opts)
		s.LoginWithToken()
		s.UserTellsBot("help")
		s.ServiceSends("mary", "a text of Mary's")
		s.RoomShows("mary", "a text of Mary's")
		room := s.Room("mary")
		leaving := s.HS.Block(homeserver.Sends("m.room.message"))
		s.UserTellsBot("logout 1000@messenger.example")
		// Killed any earlier, the command would have to be given again.
		awaitEmpty(t, s, "user_login")
		s.KillBridge()
		leaving.Remove()
		s.StartBridge()
		awaitNoTraces(t, s, map[string]bool{"messenger_matrix_inbox": true, "ghost": true, "mx_registrations": true, "messenger_left": true, "mx_user_profile": true}, "2000@", room.String())
	})
}
