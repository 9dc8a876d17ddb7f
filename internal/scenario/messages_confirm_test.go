package scenario_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// heard counts the elements that hold a text, from clients or for them.
type heard struct {
	text       string
	fromClient bool

	mu      sync.Mutex
	count   int
	changed chan struct{}
}

func (h *heard) trace(ev messengerd.TraceEvent) {
	if ev.FromC != h.fromClient || !strings.Contains(ev.XML, h.text) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// reaches waits until there are that many.
func (h *heard) reaches(t *testing.T, n int) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		for {
			h.mu.Lock()
			if h.count >= n {
				h.mu.Unlock()
				return nil
			}
			if h.changed == nil {
				h.changed = make(chan struct{})
			}
			changed := h.changed
			h.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

func (h *heard) times() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// friends is a scenario in which Mary has written.
func friends(t *testing.T, opts scenario.Options) *scenario.Scenario {
	t.Helper()
	s := scenario.Start(t, opts)
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	return s
}

func switches(s *scenario.Scenario, change func(*messengerd.Switches)) {
	s.T().Helper()
	if err := s.Service.SetSwitches(change); err != nil {
		s.T().Fatal(err)
	}
}

func TestAMessageThatTheServiceWantsLaterIsSentAgainBeforeWhatStandsBehindIt(t *testing.T) {
	opts, points := reporting(t)
	refusals := &heard{text: "<body>come again</body>"} // an error has the message in it
	opts.Trace = refusals.trace
	s := friends(t, opts)
	switches(s, failMessages("resource-constraint"))
	sent := []id.EventID{s.UserSends("mary", "come again")}
	refusals.reaches(t, 1)
	switches(s, failMessages(""))
	sent = append(sent, s.UserSends("mary", "me, too"))
	s.ContactReceives("mary", "come again", "me, too")
	for _, message := range sent {
		s.StatusIs("mary", message, event.MessageStatusSuccess)
		points.sentOnce(t, message)
		statusesAre(s, message, event.MessageStatusPending, event.MessageStatusSuccess)
	}
	s.NothingElseWasSaid()
}

func TestAMessageThatTheServiceWantsLaterAgainAndAgainIsTold(t *testing.T) {
	opts, _ := reporting(t)
	tries := &heard{text: "<body>never mind</body>", fromClient: true}
	opts.Trace = tries.trace
	s := friends(t, opts)
	switches(s, failMessages("resource-constraint"))
	refused := s.UserSends("mary", "never mind")
	s.NoticeOn("mary", refused, "Please try again later")
	if n := tries.times(); n != 4 {
		t.Errorf("it was sent %d times, and not once and three times more", n)
	}
	statusesAre(s, refused, event.MessageStatusPending, event.MessageStatusFail)
	switches(s, failMessages(""))
	s.UserSends("mary", "here again")
	s.ContactReceives("mary", "here again")
	s.NothingElseWasSaid()
}

func TestAnAnswerThatComesLateConfirmsOnTheSameSession(t *testing.T) {
	opts, points := reporting(t)
	pings := &heard{text: "urn:xmpp:ping", fromClient: true}
	opts.Trace = pings.trace
	s := friends(t, opts)
	session := s.User().Sessions()[0].ID
	switches(s, func(sw *messengerd.Switches) { sw.Ping = "silence" })
	before := pings.times()
	sent := s.UserSends("mary", "are you there?")
	s.ContactReceives("mary", "are you there?")
	pings.reaches(t, before+1) // this one is given up after 30 s
	switches(s, func(sw *messengerd.Switches) { sw.Ping = "result" })
	s.StatusIs("mary", sent, event.MessageStatusSuccess)
	points.sentOnce(t, sent)
	if sessions := s.User().Sessions(); len(sessions) != 1 || sessions[0].ID != session {
		t.Errorf("the sessions are %+v", sessions)
	}
	s.NothingElseWasSaid()
	statusesAre(s, sent, event.MessageStatusPending, event.MessageStatusSuccess)
}
