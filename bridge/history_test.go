package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"mellium.im/xmpp/stanza"

	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
)

// newTestHistory is the history of a client with a session that has no stream: what is asked for stays in the queue.
func newTestHistory(t *testing.T) *history {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	c := &Connector{ctx: ctx, stop: cancel, archiveTurns: newTurns(1), listTurns: newTurns(1), Config: config.Config{Archive: config.Archive{Enabled: true, Count: 10}}}
	cl := &Client{c: c, login: &bridgev2.UserLogin{UserLogin: &bridgedb.UserLogin{ID: "me@messenger.example"}}, log: zerolog.Nop()}
	cl.inbound = newInbound(cl)
	cl.outbox = newOutbox(cl)
	cl.notices = newStateNotices(cl)
	cl.history = newHistory(cl)
	cl.history.begin(7, time.Now())
	t.Cleanup(cl.history.stop)
	return cl.history
}

func TestNoMoreIsUnconfirmedThanAnArchiveCanShow(t *testing.T) {
	for count, want := range map[int]int{1: 1, 10: 10, 50: 10, 1000: 10} {
		c := &Connector{Config: config.Config{Archive: config.Archive{Count: count}}}
		if got := c.archiveShows(); got != want {
			t.Errorf("with archive.count %d, %d messages may be unconfirmed instead of %d", count, got, want)
		}
	}
}

func (h *history) waits(chat string) bool {
	h.cl.inbound.mu.Lock()
	defer h.cl.inbound.mu.Unlock()
	worker := h.cl.inbound.chats[chat]
	return worker != nil && worker.held > 0
}

func TestAChatWaitsForItsArchiveBeforeTheFirstMessageOfASessionAndAfterALull(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		known chatHistory
		waits bool
	}{
		"nothing is known in this session":    {chatHistory{}, true},
		"read in the session before":          {chatHistory{read: 6, active: now}, true},
		"read, and talking":                   {chatHistory{read: 7, active: now.Add(-time.Minute)}, false},
		"read, and quiet for long":            {chatHistory{read: 7, active: now.Add(-lull - time.Minute)}, true},
		"quiet for long, but just in trouble": {chatHistory{active: now.Add(-time.Hour), retry: now.Add(time.Minute)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHistory(t)
			h.chats = map[string]*chatHistory{"mary": &test.known}
			h.before("mary")
			if h.waits("mary") != test.waits {
				t.Errorf("the chat waits: %v", !test.waits)
			}
			if h.waits("john") {
				t.Error("another chat waits too")
			}
			if time.Since(h.chats["mary"].active) > time.Minute {
				t.Error("the message was not noted as activity")
			}
		})
	}
}

func TestNoChatWaitsWithoutAnArchive(t *testing.T) {
	h := newTestHistory(t)
	h.cl.c.Config.Archive.Enabled = false
	h.before("mary")
	h.earlier("john")(t.Context(), nil)
	if h.waits("mary") || h.waits("john") {
		t.Error("a chat waits although the archive is switched off")
	}
}

func TestAnArchiveThatIsRefusedOrSilentIsLeftAlone(t *testing.T) {
	silence := fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	for name, test := range map[string]struct {
		answers []error
		alone   bool
	}{
		"refused":              {[]error{stanza.Error{Condition: stanza.FeatureNotImplemented}}, true},
		"not for this contact": {[]error{stanza.Error{Condition: stanza.ItemNotFound}}, false},
		"silent once":          {[]error{silence}, false},
		"silent twice":         {[]error{silence, silence}, true},
		"silent now and then":  {[]error{silence, nil, silence}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHistory(t)
			h.before("waiting")
			h.mu.Lock()
			for _, err := range test.answers {
				h.noteAnswer(err)
			}
			h.mu.Unlock()
			if h.waits("waiting") == test.alone {
				t.Errorf("what waits goes on waiting: %v", !test.alone)
			}
			h.before("mary")
			if h.waits("mary") == test.alone {
				t.Errorf("the next chat waits: %v", !test.alone)
			}
		})
	}
}

func TestWhoeverWaitsIsServedBeforeTheRest(t *testing.T) {
	h := newTestHistory(t)
	h.mu.Lock()
	for _, chat := range []string{"a", "b", "c"} {
		h.enqueue(chat, false)
	}
	h.mu.Unlock()
	h.before("x")
	h.before("b")
	var order []string
	for _, job := range h.queue {
		order = append(order, job.chat)
	}
	if got := strings.Join(order, " "); got != "x b a c" {
		t.Errorf("the order is %s", got)
	}
}

func TestTheQueueIsBoundedAndAChatBeyondItGoesOn(t *testing.T) {
	h := newTestHistory(t)
	for i := range maxJobs + 5 {
		h.before(fmt.Sprint(i))
	}
	if len(h.jobs) != maxJobs || h.waits(fmt.Sprint(maxJobs)) {
		t.Errorf("%d chats are to be read; the last one waits: %v", len(h.jobs), h.waits(fmt.Sprint(maxJobs)))
	}
}

func TestNoChatWaitsForEver(t *testing.T) {
	h := newTestHistory(t)
	h.before("long")
	h.before("short")
	h.jobs["long"].heldUntil = time.Now().Add(-time.Second)
	h.sweepHolds()
	if h.waits("long") || !h.waits("short") {
		t.Errorf("after a minute it waits: %v; one that has just begun to wait does: %v", h.waits("long"), h.waits("short"))
	}
	if len(h.queue) != 2 {
		t.Error("a chat that went on is not read any more")
	}
	h.stop()
	if h.waits("short") {
		t.Error("a chat waits after the end")
	}
}

func TestTheNextSessionFindsWhatTheLastOneLeft(t *testing.T) {
	h := newTestHistory(t)
	h.before("mary")
	h.begin(8, time.Now())
	if !h.waits("mary") || len(h.queue) != 1 {
		t.Error("the chat was forgotten with its session")
	}
	h.onState(xmppside.StateEvent{State: xmppside.Waiting})
	if !h.waits("mary") {
		t.Error("the chat does not wait for the next session")
	}
}

func TestTimesAreThoseOfOurClockAndNeverInTheFuture(t *testing.T) {
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	for name, test := range map[string]struct {
		stamp  time.Time
		offset time.Duration
		known  bool
		want   time.Time
	}{
		"clocks agree":          {past, time.Second, true, past},
		"the service is ahead":  {past, 2 * time.Minute, true, past.Add(-2 * time.Minute)},
		"the service is behind": {past, -2 * time.Minute, true, past.Add(2 * time.Minute)},
		"only a guess":          {past, 2 * time.Minute, false, past},
	} {
		if got := localTime(test.stamp, test.offset, test.known); !got.Equal(test.want) {
			t.Errorf("%s: %v instead of %v", name, got, test.want)
		}
	}
	for name, stamp := range map[string]time.Time{"unknown": {}, "in the future": time.Now().Add(time.Hour), "before there was Messenger": time.Unix(0, 0)} {
		if got := localTime(stamp, 0, false); time.Since(got).Abs() > time.Minute {
			t.Errorf("a time that is %s became %v", name, got)
		}
	}
}

func TestTheCommandHistoryAnswersInWords(t *testing.T) {
	for want, test := range map[string]struct {
		added int
		err   error
	}{
		"nothing that this chat does not show": {0, nil},
		"One message":                          {1, nil},
		"12 messages":                          {12, nil},
		"no connection":                        {0, errDisconnected},
		"request is not answered":              {0, errUndecided},
		"does not give its archive":            {0, stanza.Error{Condition: stanza.FeatureNotImplemented}},
		"does not answer at the moment":        {0, errors.New("anything")},
	} {
		if got := historyAnswer(test.added, test.err); !strings.Contains(got, want) {
			t.Errorf("%d, %v: %q does not say %q", test.added, test.err, got, want)
		}
	}
}

func TestAShortBreakOnlyConcernsChatsInWhichPeopleWereTalking(t *testing.T) {
	h, now := newTestHistory(t), time.Now()
	if h.reach(now) != recently {
		t.Error("the first session of a run does not look at all recent chats")
	}
	h.onState(xmppside.StateEvent{State: xmppside.Waiting, Session: 7})
	if h.reach(now) != lately {
		t.Error("a short break looks at more than the chats of the last hour")
	}
	h.ended = now.Add(-time.Hour)
	if h.reach(now) != recently {
		t.Error("a long break does not look at all recent chats")
	}
}

func TestNothingIsWrittenInAChatBeforeItsArchiveWasRead(t *testing.T) {
	h := newTestHistory(t)
	if h.mayWrite("mary") || !h.waits("mary") || !h.jobs["mary"].urgent {
		t.Error("somebody may write in a chat whose archive was not read")
	}
	if waiting := h.waiting(); len(waiting) != 1 || waiting[0] != "mary" {
		t.Errorf("%v wait", waiting)
	}
	h.jobs["mary"].heldUntil = time.Now()
	h.sweepHolds()
	if !h.mayWrite("mary") {
		t.Error("a chat that has waited long enough still waits")
	}
	if waiting := h.waiting(); len(waiting) != 0 {
		t.Errorf("%v still wait", waiting)
	}
	for name, known := range map[string]chatHistory{"read": {read: 7}, "just in trouble": {retry: time.Now().Add(time.Minute)}} {
		h.chats[name] = &known
		if !h.mayWrite(name) {
			t.Errorf("nobody may write in a chat that was %s", name)
		}
	}
	h.resting = time.Now().Add(time.Minute)
	if !h.mayWrite("john") {
		t.Error("nobody may write while the archive gives no answer")
	}
	h.cl.c.Config.Archive.Enabled = false
	if !h.mayWrite("paul") {
		t.Error("nobody may write without an archive")
	}
}

func TestAnAnswerOfTheSessionBeforeDoesNotCountForTheNext(t *testing.T) {
	h := newTestHistory(t)
	h.before("mary")
	job := h.queue[0]
	h.queue, job.running, h.reading = nil, true, 1
	h.begin(8, time.Now())
	h.finish(t.Context(), &xmppside.Session{}, job, 3, nil)
	if len(h.queue) != 1 || !h.waits("mary") || h.chat("mary").read == 8 {
		t.Error("a chat counts as read that the new session has not asked about")
	}
}

func TestAnAnswerIsNotComparedOnceTheNextSessionHasBegun(t *testing.T) {
	h := newTestHistory(t)
	withDatabase(t, h.cl)
	if _, err := h.recall(t.Context(), &xmppside.Session{}, "mary"); !errors.Is(err, errSessionOver) {
		t.Errorf("what an archive showed to a session before this one counts: %v", err)
	}
}
