package bridge

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"maunium.net/go/mautrix/event"

	wire "matrix-messenger/xmppside/presence"
)

func on(show wire.Show, text string) wire.State {
	return wire.State{Available: true, Show: show, Status: text}
}

// drain takes everything that the pacer would send, as if each request went well.
func (s *presencePacer) drain() (sent []string) {
	for {
		who, next, ok := s.next()
		if !ok {
			return sent
		}
		s.setShown(who, next)
		sent = append(sent, fmt.Sprintf("%s %v %s %s", who, next.state.Available, next.state.Show, next.state.Status))
	}
}

func TestOfAGhostOnlyTheLatestStateIsSentAndOnlyWhenItIsNew(t *testing.T) {
	var s presencePacer
	for i := range 10_000 {
		s.want("mary", shownPresence{state: on(wire.Away, fmt.Sprint(i)), login: "me"})
	}
	s.want("john", shownPresence{state: on(wire.Online, ""), login: "me"})
	if got, want := s.drain(), []string{"mary true away 9999", "john true  "}; !slices.Equal(got, want) {
		t.Fatalf("sent %q instead of %q", got, want)
	}
	for range 10_000 {
		s.want("mary", shownPresence{state: on(wire.Away, "9999"), login: "me"})
	}
	if got := s.drain(); len(got) != 0 {
		t.Fatalf("unchanged, and yet sent: %q", got)
	}
	if s.queue != nil || s.wanted != nil {
		t.Error("an empty queue keeps its memory")
	}
}

func TestWhatGhostsShowSinceBeforeARestartIsNotSentAgain(t *testing.T) {
	var s presencePacer
	s.remember("me", "mary", on(wire.DND, "working"))
	s.want("mary", shownPresence{state: on(wire.DND, "working"), login: "me"})
	if got := s.drain(); len(got) != 0 {
		t.Fatalf("sent %q", got)
	}
	s.want("mary", shownPresence{login: "me"})
	if got, want := s.drain(), []string{"mary false  "}; !slices.Equal(got, want) {
		t.Fatalf("sent %q instead of %q", got, want)
	}
	if len(s.shown) != 0 {
		t.Error("somebody offline takes memory")
	}
	if state, found := s.unsaved[presenceKey{"me", "mary"}]; !found || state.Available {
		t.Error("the cache is not told that mary went offline")
	}
}

func TestAFailedRequestIsRepeatedUnlessSomethingNewerCame(t *testing.T) {
	var s presencePacer
	s.want("mary", shownPresence{state: on(wire.Away, "old"), login: "me"})
	who, next, _ := s.next()
	s.putBack(who, next)
	if got, want := s.drain(), []string{"mary true away old"}; !slices.Equal(got, want) {
		t.Fatalf("sent %q instead of %q", got, want)
	}
	s.want("mary", shownPresence{state: on(wire.Away, "failed"), login: "me"})
	who, next, _ = s.next()
	s.want("mary", shownPresence{state: on(wire.Away, "newer"), login: "me"})
	s.putBack(who, next)
	if got, want := s.drain(), []string{"mary true away newer"}; !slices.Equal(got, want) {
		t.Fatalf("sent %q instead of %q", got, want)
	}
}

func TestTheRefreshRepeatsOnlyWhoIsOnline(t *testing.T) {
	var s presencePacer
	s.want("mary", shownPresence{state: on(wire.Away, ""), login: "me"})
	s.want("john", shownPresence{state: wire.State{Status: "gone fishing"}, login: "me"})
	s.drain()
	s.repeat()
	if got, want := s.drain(), []string{"mary true away "}; !slices.Equal(got, want) {
		t.Fatalf("repeated %q instead of %q", got, want)
	}
}

func TestWhenAnotherAccountTellsTheCacheFollows(t *testing.T) {
	var s presencePacer
	s.want("mary", shownPresence{state: on(wire.Online, ""), login: "one"})
	s.drain()
	s.takeUnsaved()
	s.want("mary", shownPresence{state: on(wire.Away, ""), login: "two"})
	s.drain()
	got := s.takeUnsaved()
	if state, found := got[presenceKey{"one", "mary"}]; !found || state.Available {
		t.Errorf("the first account's row stays: %+v", got)
	}
	if state := got[presenceKey{"two", "mary"}]; state.Show != wire.Away {
		t.Errorf("the second account's row is missing: %+v", got)
	}
}

func TestPresenceInMatrixWords(t *testing.T) {
	for _, c := range []struct {
		state wire.State
		want  ghostPresence
	}{
		{wire.State{}, ghostPresence{Presence: event.PresenceOffline}},
		{wire.State{Status: "bye"}, ghostPresence{Presence: event.PresenceOffline, Text: "bye"}},
		{on(wire.Online, "hi"), ghostPresence{Presence: event.PresenceOnline, Text: "hi"}},
		{on(wire.Chat, ""), ghostPresence{Presence: event.PresenceOnline}},
		{on(wire.Away, "lunch"), ghostPresence{Presence: event.PresenceUnavailable, Text: "lunch"}},
		{on(wire.XA, ""), ghostPresence{Presence: event.PresenceUnavailable}},
		{on(wire.DND, ""), ghostPresence{Presence: event.PresenceUnavailable, Text: "Busy"}},
		{on(wire.DND, "call"), ghostPresence{Presence: event.PresenceUnavailable, Text: "Busy: call"}},
	} {
		if got := matrixState(c.state); got != c.want {
			t.Errorf("%+v becomes %+v instead of %+v", c.state, got, c.want)
		}
	}
}

func TestAnEmptyPersonalMessageIsSaidToTheHomeserver(t *testing.T) {
	body, err := json.Marshal(matrixState(on(wire.Away, "")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(body), `{"presence":"unavailable","status_msg":""}`; got != want {
		t.Errorf("the body is %s instead of %s: an old message would stay", got, want)
	}
}
