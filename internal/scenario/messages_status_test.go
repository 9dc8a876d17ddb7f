package scenario_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// checkpoints is an endpoint for message checkpoints; it keeps what was posted.
type checkpoints struct {
	mu     sync.Mutex
	bodies []string
}

func (c *checkpoints) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.bodies = append(c.bodies, string(body))
	c.mu.Unlock()
	_, _ = w.Write([]byte("{}"))
}

// of are the checkpoints that say all of these.
func (c *checkpoints) of(parts ...string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, body := range c.bodies {
		missing := func(part string) bool { return !strings.Contains(body, part) }
		if !slices.ContainsFunc(parts, missing) {
			n++
		}
	}
	return n
}

// sentOnce waits until one checkpoint says that an event was sent, and none says so again.
func (c *checkpoints) sentOnce(t *testing.T, target id.EventID) {
	t.Helper()
	c.saidOnce(t, target, `"SUCCESS"`)
}

// saidOnce waits until one checkpoint says how an event ended, and none says so again.
func (c *checkpoints) saidOnce(t *testing.T, target id.EventID, how string) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		for c.of(target.String(), `"REMOTE"`, how) == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
		return nil
	})
	if n := c.of(target.String(), `"REMOTE"`, how); n != 1 {
		t.Errorf("%d checkpoints say %s of %s", n, how, target)
	}
}

// reporting is a bridge that reports states in every way there is.
func reporting(t *testing.T) (scenario.Options, *checkpoints) {
	points := &checkpoints{}
	server := httptest.NewServer(points)
	t.Cleanup(server.Close)
	return scenario.Options{Sections: map[string]map[string]any{
		"matrix":     {"message_status_events": true, "delivery_receipts": true},
		"homeserver": {"message_send_checkpoint_endpoint": server.URL},
	}}, points
}

// failMessages makes the service refuse messages with a condition; empty: take them again.
func failMessages(condition string) func(*messengerd.Switches) {
	return func(sw *messengerd.Switches) { sw.Faults.MessageError = condition }
}

// statusesAre checks all the statuses an event has had.
func statusesAre(s *scenario.Scenario, target id.EventID, want ...event.MessageStatus) {
	s.T().Helper()
	if all := s.Statuses("mary", target); !slices.Equal(all, want) {
		s.T().Errorf("the statuses of %s were %v instead of %v", target, all, want)
	}
}

func TestTheStatusOfAMessageIsTheTruth(t *testing.T) {
	opts, points := reporting(t)
	s := scenario.Start(t, opts)
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")

	s.ServiceGoesDown()
	waiting := s.UserSends("mary", "wait for me")
	s.StatusIs("mary", waiting, event.MessageStatusPending)
	if receipt := s.HS.Receipt(s.Room("mary"), s.Bot()); receipt == waiting {
		t.Error("a message that waits has a delivery receipt")
	}
	s.ServiceComesBack()
	s.ContactReceives("mary", "wait for me")
	s.StatusIs("mary", waiting, event.MessageStatusSuccess)
	s.BotHasRead("mary", waiting)
	points.sentOnce(t, waiting)
	statusesAre(s, waiting, event.MessageStatusPending, event.MessageStatusSuccess)

	if err := s.Service.SetSwitches(failMessages("not-acceptable")); err != nil {
		t.Fatal(err)
	}
	refused := s.UserSends("mary", words(3000))
	s.StatusIs("mary", refused, event.MessageStatusFail)
	s.NoticeOn("mary", refused, "Messenger does not accept this message")
	// Its first part decides; the service has refused the second one, too, when it has come to what was sent after it.
	s.StatusIs("mary", s.UserSends("mary", "nor this one"), event.MessageStatusFail)
	if err := s.Service.SetSwitches(failMessages("")); err != nil {
		t.Fatal(err)
	}
	s.UserSends("mary", "short now")
	s.ContactReceives("mary", "short now")
	if notices := s.NoticesOn("mary", refused); len(notices) != 1 {
		t.Errorf("the refused message has the notices %q", notices)
	}
	s.NothingElseWasSaid()
	statusesAre(s, refused, event.MessageStatusPending, event.MessageStatusFail)
}

func TestTheStatusOfEditsReactionsAndDeletionsIsTheTruth(t *testing.T) {
	opts, _ := reporting(t)
	remembered := func(s *scenario.Scenario, what string) id.EventID { return id.EventID(s.Recall(what)) }
	changes := []string{"edit", "reaction", "taking back", "deletion"}
	scenario.Play(
		t, opts,
		scenario.Step{Name: "a message and a reaction are with the contact", Do: func(s *scenario.Scenario) {
			s.LoginWithToken()
			s.ServiceSends("mary", "hello")
			s.Remember("wave", s.UserReacts("mary", s.RoomShows("mary", "hello").ID, "👋").String())
			s.ContactReceives("mary", "(reacted 👋 to “hello”)")
			s.Remember("greeting", s.UserSends("mary", "good morning").String())
			s.ContactReceives("mary", "good morning")
			s.StatusIs("mary", remembered(s, "greeting"), event.MessageStatusSuccess)
		}},
		scenario.Step{Name: "the service goes down", Do: func(s *scenario.Scenario) { s.ServiceGoesDown() }},
		scenario.Step{Name: "the user changes things", Whole: true, Do: func(s *scenario.Scenario) {
			greeting, wave := remembered(s, "greeting"), remembered(s, "wave")
			for i, change := range []func() id.EventID{
				func() id.EventID { return s.UserEdits("mary", greeting, "good evening") },
				func() id.EventID { return s.UserReacts("mary", greeting, "🌙") },
				func() id.EventID { return s.UserDeletes("mary", wave) },
				func() id.EventID { return s.UserDeletes("mary", greeting) },
			} {
				changed := change()
				s.StatusIs("mary", changed, event.MessageStatusPending) // the bridge reads what the next one removes
				s.Remember(changes[i], changed.String())
			}
			s.BridgeHasHandledWhatIsIn("mary")
			for _, change := range changes {
				statusesAre(s, remembered(s, change), event.MessageStatusPending)
			}
		}},
		scenario.Step{Name: "the service comes back", Do: func(s *scenario.Scenario) {
			s.ServiceComesBack()
			s.ContactReceives("mary", "* good evening", "(reacted 🌙 to “good morning”)", "(took back: reacted 👋 to “hello”)", "(deleted a message)")
		}},
		scenario.Step{Name: "everything is reported", Do: func(s *scenario.Scenario) {
			for _, change := range changes {
				s.StatusIs("mary", remembered(s, change), event.MessageStatusSuccess)
			}
			s.BotHasRead("mary", remembered(s, "deletion"))
		}},
		scenario.Step{Name: "nothing is reported again", Do: func(s *scenario.Scenario) {
			s.NothingElseWasSaid()
			for _, change := range changes {
				statusesAre(s, remembered(s, change), event.MessageStatusPending, event.MessageStatusSuccess)
			}
		}},
	)
}

func TestARefusalOfAnEditOrAReactionIsOnThatVeryEvent(t *testing.T) {
	opts, points := reporting(t)
	s := scenario.Start(t, opts)
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	hello := s.RoomShows("mary", "hello").ID
	sent := s.UserSends("mary", "good morning")
	s.ContactReceives("mary", "good morning")
	if err := s.Service.SetSwitches(failMessages("not-acceptable")); err != nil {
		t.Fatal(err)
	}
	var refused []id.EventID
	for _, change := range []func() id.EventID{
		func() id.EventID { return s.UserEdits("mary", sent, "good evening") },
		func() id.EventID { return s.UserReacts("mary", hello, "👍") },
		func() id.EventID { return s.UserDeletes("mary", sent) },
	} {
		changed := change()
		s.NoticeOn("mary", changed, "Messenger does not accept this message")
		refused = append(refused, changed)
	}
	if err := s.Service.SetSwitches(failMessages("")); err != nil {
		t.Fatal(err)
	}
	accepted := s.UserReacts("mary", hello, "👋")
	s.ContactReceives("mary", "(reacted 👋 to “hello”)")
	points.sentOnce(t, accepted)
	s.NothingElseWasSaid()
	for _, changed := range refused {
		statusesAre(s, changed, event.MessageStatusPending, event.MessageStatusFail)
	}
	statusesAre(s, sent, event.MessageStatusPending, event.MessageStatusSuccess)
}

// successStatus matches the request that reports an event as sent.
func successStatus(r homeserver.Request) bool {
	return strings.Contains(r.Path, "/send/com.beeper.message_send_status/") && strings.Contains(string(r.Body), `"SUCCESS"`)
}

func TestASuccessIsReportedOnceThoughTheBridgeIsKilledOverTheReport(t *testing.T) {
	for name, fault := range map[string]func(*scenario.Scenario) *homeserver.Fault{
		"the report still on its way": func(s *scenario.Scenario) *homeserver.Fault { return s.HS.Block(successStatus) },
		"its answer lost": func(s *scenario.Scenario) *homeserver.Fault {
			return s.HS.Inject(&homeserver.Fault{Match: successStatus, Cut: true, After: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts, _ := reporting(t)
			s := scenario.Start(t, opts)
			s.LoginWithToken()
			s.ServiceSends("mary", "hello")
			hello := s.RoomShows("mary", "hello").ID
			trouble := fault(s)
			reaction := s.UserReacts("mary", hello, "👍")
			s.ContactReceives("mary", "(reacted 👍 to “hello”)")
			within(t, func(ctx context.Context) error { return trouble.WaitHits(ctx, 1) })
			s.KillBridge()
			trouble.Remove()
			s.StartBridge()
			s.StatusIs("mary", reaction, event.MessageStatusSuccess)
			s.BotHasRead("mary", reaction)
			s.NothingElseWasSaid()
			statusesAre(s, reaction, event.MessageStatusPending, event.MessageStatusSuccess)
		})
	}
}
