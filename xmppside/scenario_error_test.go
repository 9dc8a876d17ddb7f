package xmppside_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/iq"
)

func TestEveryStreamErrorHasTheConsequenceOfTheTable(t *testing.T) {
	retry, longest := xmppside.Retry, xmppside.RetryLongest
	for condition, want := range map[string]xmppside.Action{
		"connection-timeout": retry, "system-shutdown": retry, "reset": retry, "resource-constraint": retry,
		"internal-server-error": retry, "remote-connection-failed": retry, "undefined-condition": retry,
		"conflict": retry, "not-authorized": xmppside.Refresh, "policy-violation": longest,
		"not-well-formed": retry, "bad-format": retry, "invalid-xml": retry, "restricted-xml": retry,
		"bad-namespace-prefix": retry, "invalid-namespace": retry, "unsupported-encoding": retry,
		"unsupported-feature": retry, "unsupported-stanza-type": retry, "unsupported-version": retry,
		"host-unknown": longest, "host-gone": longest, "improper-addressing": longest, "invalid-from": longest,
	} {
		t.Run(condition, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				defer w.signIn()()
				if err := w.server.StreamError(john, condition, "because"); err != nil {
					t.Fatal(err)
				}
				ev := w.state(xmppside.Waiting)
				if ev.Problem == nil || ev.Problem.Action != want || ev.Problem.Text == "" || strings.Contains(ev.Problem.Text, "{") {
					t.Errorf("%+v, want %s", ev.Problem, want)
				}
				if !strings.Contains(ev.Problem.Err.Error(), "because") {
					t.Errorf("the log says %v", ev.Problem.Err)
				}
				w.state(xmppside.Online)
			})
		})
	}
}

func TestAnotherSignInIsNotFought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		conflict := func() xmppside.StateEvent {
			if err := w.server.StreamError(john, "conflict", ""); err != nil {
				t.Fatal(err)
			}
			return w.state(xmppside.Waiting)
		}
		if ev := conflict(); ev.Problem.Action != xmppside.Retry {
			t.Errorf("%+v", ev.Problem)
		}
		if ev := next(w, "the sign-in", anyOf[xmppside.SignedIn]); ev.Resource == "bridge" {
			t.Error("asked for the same resource")
		}
		w.state(xmppside.Online)
		time.Sleep(10 * time.Minute) // stable, but not for long
		ev := conflict()
		if ev.Problem.Action != xmppside.TellUser || ev.Problem.Code != xmppside.CodeConflict || !ev.Next.IsZero() {
			t.Errorf("%+v, %+v", ev, ev.Problem)
		}
		dials := len(w.network.Dials())
		time.Sleep(24 * time.Hour)
		if len(w.network.Dials()) != dials {
			t.Error("came back by itself")
		}
		w.account.Reconnect()
		if ev := next(w, "the sign-in", anyOf[xmppside.SignedIn]); ev.Resource != "bridge" {
			t.Errorf("resource %q after a new start", ev.Resource)
		}
	})
}

func TestAMessageThatTheServiceCallsMalformedIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.switches(func(s *messengerd.Switches) { s.LongestStanza = 2000 })
		defer w.signIn()()
		for i := range 3 {
			s := w.account.Session()
			if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "fine", "short"); err != nil {
				t.Fatal(err)
			}
			if err := s.Barrier(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "bad", strings.Repeat("x", 3000)); err != nil {
				t.Fatal(err)
			}
			ev := w.problem(xmppside.CodeStreamBroken)
			want := xmppside.Retry
			if i == 2 {
				want = xmppside.RetryLongest
			}
			if ev.Suspect != "bad" || ev.Session != s.ID() || ev.Problem.Action != want {
				t.Errorf("time %d: %+v, %+v", i, ev, ev.Problem)
			}
			w.state(xmppside.Online)
		}
		// A stream that ends without anything unconfirmed accuses nobody.
		if err := w.account.Session().SendMessage(t.Context(), w.server.Account(ann).JID(), "fine", "short"); err != nil {
			t.Fatal(err)
		}
		if err := w.account.Session().Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.server.StreamError(john, "not-well-formed", ""); err != nil {
			t.Fatal(err)
		}
		if ev := w.problem(xmppside.CodeStreamBroken); ev.Suspect != "" {
			t.Errorf("accuses %q", ev.Suspect)
		}
	})
}

func TestAStanzaLongerThanTheServiceTakesIsRefusedLocally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.switches(func(s *messengerd.Switches) { s.LongestStanza = 16344 })
		defer w.signIn()()
		s := w.account.Session()
		if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "m", strings.Repeat("<", 5000)); err == nil {
			t.Error("20000 bytes were taken")
		}
		if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "m", strings.Repeat("x", 15800)); err != nil {
			t.Fatal(err)
		}
		if err := s.Barrier(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatWasNotStoredIsNotCountedAsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		full := errors.New("disk full")
		w.events.setRefuse(func(ev xmppside.Event) error {
			if _, ok := ev.(xmppside.Message); ok {
				return full
			}
			return nil
		})
		if err := w.server.Account(ann).SendMessage(john, "hello"); err != nil {
			t.Fatal(err)
		}
		ev := w.problem(xmppside.CodeNotStored)
		if ev.Problem.Action != xmppside.Retry || !errors.Is(ev.Problem, full) {
			t.Errorf("%+v", ev.Problem)
		}
		w.events.setRefuse(nil)
		w.state(xmppside.Online)
	})
}

func TestAFailingStoreAtAnyPointOfTheSignInEndsInARetry(t *testing.T) {
	for _, name := range []string{"xmppside.SignedIn", "xmppside.RosterLoaded", "online"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{})
			left := 3
			w.events.setRefuse(func(ev xmppside.Event) error {
				state, _ := ev.(xmppside.StateEvent)
				if (fmt.Sprintf("%T", ev) == name || string(state.State) == name) && left > 0 {
					left--
					return errors.New("locked")
				}
				return nil
			})
			defer w.run()()
			for range 3 {
				w.problem(xmppside.CodeNotStored)
			}
			w.state(xmppside.Online)
		})
	}
}

func TestAMessageThatComesBackIsReportedWithItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.switches(func(s *messengerd.Switches) { s.Faults.MessageError = "recipient-unavailable" })
		defer w.signIn()()
		if err := w.account.Session().SendMessage(t.Context(), w.server.Account(ann).JID(), "m7", "hello"); err != nil {
			t.Fatal(err)
		}
		ev := next(w, "the error", anyOf[xmppside.MessageError])
		if ev.ID != "m7" || ev.Err.Condition != "recipient-unavailable" {
			t.Errorf("%+v", ev)
		}
	})
}

func TestARestartOfTheServiceNeedsNoHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		w.network.Remove(entry)
		w.server.CutSessions()
		time.Sleep(3 * time.Hour)
		w.network.Alias(entry, w.door)
		began := time.Now()
		w.state(xmppside.Online)
		for w.account.State().State != xmppside.Online { // the event found first may be older
			w.state(xmppside.Online)
		}
		if took := time.Since(began); took > 6*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

func TestRequestsAreAnsweredOrGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) { c.Switches.DiscoInfo = "silence" }})
		defer w.signIn()()
		s := w.account.Session()
		err := s.Request(t.Context(), iq.Request{Type: iq.Get, Payload: []byte(`<query xmlns="urn:nobody"/>`)}, nil)
		if !iq.IsError(err, "service-unavailable") {
			t.Errorf("an unknown request gave %v", err)
		}
		began := time.Now()
		err = s.Request(t.Context(), iq.Request{Type: iq.Get, To: "messenger.live.com", Payload: []byte(`<query xmlns="http://jabber.org/protocol/disco#info"/>`)}, nil)
		if iq.Answered(err) || time.Since(began) != 30*time.Second {
			t.Errorf("silence gave %v after %v", err, time.Since(began))
		}
		if s.Barrier(t.Context()) != nil {
			t.Error("the session did not survive it")
		}
	})
}
