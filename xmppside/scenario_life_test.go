package xmppside_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/chatstate"
	"matrix-messenger/xmppside/messenger"
	"matrix-messenger/xmppside/presence"
)

func pings(w *world) int {
	return len(w.trace.sent(func(x string) bool { return strings.Contains(x, "urn:xmpp:ping") }))
}

func TestADayWithAServiceThatCutsIdleStreamsShowsNoGap(t *testing.T) {
	for _, ping := range []string{"service-unavailable", "result"} {
		t.Run(ping, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{config: func(c *messengerd.Config) {
					c.Switches.IdleCut = 60 * time.Second
					c.Switches.Ping = ping
				}})
				defer w.signIn()()
				s := w.account.Session()
				for hour := range 24 {
					time.Sleep(time.Hour)
					text := fmt.Sprint("hour ", hour)
					if err := w.server.Account(ann).SendMessage(john, text); err != nil {
						t.Fatal(err)
					}
					if m := next(w, "the message of the hour", anyOf[xmppside.Message]); m.Body != text || m.Delay != nil {
						t.Errorf("message %+v", m)
					}
				}
				if w.account.Session() != s || len(w.network.Dials()) != 1 {
					t.Errorf("the session did not last: dialled %d times", len(w.network.Dials()))
				}
				if n := pings(w); n < 24*60 || n > 24*60*2 {
					t.Errorf("%d pings in a day", n)
				}
			})
		})
	}
}

func TestABusySessionStillPingsWhenNothingIsReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		s := w.account.Session()
		for range 120 {
			if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "", "x"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if pings(w) == 0 {
			t.Error("no ping in two minutes of writing only")
		}
	})
}

func TestADeadConnectionIsNoticedWithinNinetySeconds(t *testing.T) {
	for _, c := range []struct {
		name      string
		keepalive time.Duration
		stuck     bool
		busy      bool
	}{
		{"silent", 0, false, false},
		{"silent, with a long keepalive", time.Hour, false, false},
		{"not reading", 0, true, false},
		{"silent while messages are sent", 0, false, true},
		{"not reading while messages are sent", 0, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{profile: func(o *messenger.Options) { o.Keepalive = c.keepalive }})
				defer w.signIn()()
				s := w.account.Session()
				time.Sleep(10 * time.Minute)
				w.network.Last().Freeze(c.stuck)
				began := time.Now()
				if c.busy {
					go func() {
						for s.SendMessage(t.Context(), w.server.Account(ann).JID(), "", "x") == nil {
							time.Sleep(time.Second)
						}
					}()
				}
				<-s.Done()
				if took := time.Since(began); took > 90*time.Second {
					t.Errorf("noticed after %v", took)
				}
				if ev := w.problem(xmppside.CodeLost); ev.Problem.Action != xmppside.Retry {
					t.Errorf("%+v", ev)
				}
				w.state(xmppside.Online)
			})
		})
	}
}

func TestAServiceThatDoesNotAnswerPingsIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) { c.Switches.Ping = "silence" }})
		defer w.signIn()()
		s := w.account.Session()
		began := time.Now()
		<-s.Done()
		if took := time.Since(began); took < 60*time.Second || took > 71*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestWhiteSpaceIsNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) { c.Switches.Ping = "silence" }})
		defer w.signIn()()
		s := w.account.Session()
		for range 90 {
			w.server.SendRaw(john, " \n")
			time.Sleep(time.Second)
		}
		select {
		case <-s.Done():
		default:
			t.Error("white space kept the session")
		}
	})
}

func TestAfterSleepASessionProvesThatItLivesAndAWaitIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var slept time.Duration
		w := newWorld(t, setup{options: func(o *xmppside.ServiceOptions) {
			o.Now = func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				return time.Now().Add(slept)
			}
		}})
		sleep := func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			slept += d
		}
		defer w.signIn()()
		time.Sleep(time.Second)
		before := pings(w)
		sleep(8 * time.Hour)
		time.Sleep(6 * time.Second)
		if pings(w) != before+1 || w.account.Session() == nil {
			t.Errorf("%d pings after waking", pings(w)-before)
		}
		sleep(-8 * time.Hour) // the clock is put right: nothing to do
		time.Sleep(6 * time.Second)
		if pings(w) != before+1 {
			t.Error("a clock that was put back caused a ping")
		}
		// Asleep with a long wait ahead: the service is away for hours.
		w.door.Close() //nolint:errcheck // never fails
		w.server.CutSessions()
		for w.state(xmppside.Waiting).Attempt < 12 {
		}
		dials := len(w.network.Dials())
		sleep(time.Hour)
		time.Sleep(6 * time.Second)
		if len(w.network.Dials()) == dials {
			t.Error("woke up and went on waiting")
		}
	})
}

func TestWaitsDoubleWithJitterUpToFiveMinutesAndStartOverAfterAStableMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		time.Sleep(2 * time.Minute)
		w.network.Remove(entry)
		w.server.CutSessions()
		for n := 1; n <= 14; n++ {
			ev := w.state(xmppside.Waiting)
			pause := ev.Next.Sub(ev.Since)
			low, high := time.Duration(0), 2*time.Second
			if n > 1 {
				high = min(5*time.Minute, 2*time.Second<<(n-1))
				low = high / 2
			}
			if ev.Attempt != n || pause < low || pause > high {
				t.Errorf("failure %d (attempt %d): waits %v, want %v to %v", n, ev.Attempt, pause, low, high)
			}
		}
		w.network.Alias(entry, w.door)
		w.state(xmppside.Online)
		time.Sleep(10 * time.Second)
		w.server.CutSessions()
		if ev := w.state(xmppside.Waiting); ev.Attempt != 15 {
			t.Errorf("after ten seconds online: attempt %d", ev.Attempt)
		}
		w.state(xmppside.Online)
		time.Sleep(61 * time.Second)
		w.server.CutSessions()
		if ev := w.state(xmppside.Waiting); ev.Attempt != 1 || ev.Next.Sub(ev.Since) > 2*time.Second {
			t.Errorf("after a stable minute: %+v", ev)
		}
	})
}

func TestAThousandAccountsReturnWithoutAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var dialled []time.Time
		w := newWorld(t, setup{options: func(o *xmppside.ServiceOptions) {
			o.ConnectsPerSecond = 50
			o.Dial = func(_ context.Context, _, _ string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, time.Now())
				return nil, fmt.Errorf("down")
			}
		}})
		var stops []func()
		defer func() {
			for _, stop := range stops {
				stop()
			}
			_ = w.server.Close()
		}()
		for range 1000 {
			a := xmppside.NewAccount(xmppside.AccountConfig{Service: w.service, Tokens: w.tokens, Handler: discard{}})
			var ended sync.WaitGroup
			ended.Go(func() { a.Run(t.Context()) })
			stops = append(stops, func() {
				a.Stop()
				ended.Wait()
			})
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for i := range dialled {
			if i >= 51 && dialled[i].Sub(dialled[i-51]) < time.Second {
				t.Fatalf("more than 50 attempts in the second after %v", dialled[i-51])
			}
		}
		if len(dialled) < 2900 {
			t.Errorf("%d attempts in a minute", len(dialled))
		}
	})
}

func TestPresenceIsSentWhenItChangesAndAtEachSignInAndNotOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		sent := func() []string {
			synctest.Wait()
			return w.trace.sent(func(x string) bool { return strings.HasPrefix(x, "<presence") })
		}
		away := xmppside.Presence{Show: presence.Away}
		for _, p := range []xmppside.Presence{{}, away, away, {Invisible: true}, away} {
			w.account.SetPresence(p)
			sent()
		}
		if got := sent(); len(got) != 4 || !strings.Contains(got[1], "away") || !strings.Contains(got[2], "unavailable") {
			t.Errorf("sent %q", got)
		}
		w.server.CutSessions()
		w.state(xmppside.Online)
		if got := sent(); len(got) != 5 || !strings.Contains(got[4], "away") {
			t.Errorf("sent %q", got)
		}
		for range 1000 {
			w.account.SetPresence(xmppside.Presence{Status: "here"})
			w.account.SetPresence(away)
		}
		if got := sent(); !strings.Contains(got[len(got)-1], "away") || len(got) > 2005 {
			t.Errorf("the last of %d presences is %q", len(got), got[len(got)-1])
		}
		if probes := w.trace.sent(func(x string) bool { return strings.Contains(x, "probe") }); len(probes) != 0 {
			t.Errorf("probes: %q", probes)
		}
	})
}

func TestStoppingEndsTheStreamInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		stop := w.signIn()
		defer stop()
		s := w.account.Session()
		began := time.Now()
		if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "last", "last words"); err != nil {
			t.Fatal(err)
		}
		w.account.Stop()
		w.state(xmppside.Stopped)
		<-s.Done()
		synctest.Wait() // the service has noticed, too
		if got := w.server.Account(ann).Received(); len(got) != 1 || time.Since(began) > time.Second {
			t.Errorf("Ann received %+v, after %v", got, time.Since(began))
		}
		if err := s.SendChatState(t.Context(), w.server.Account(ann).JID(), chatstate.Active); err == nil {
			t.Error("a session that has ended takes stanzas")
		}
		if w.account.Session() != nil || len(w.server.Sessions()) != 0 {
			t.Error("the session is still there")
		}
	})
}

func TestAServiceInSRVIsTriedInOrderAndTheFallbackAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.srv.records = map[string][]*net.SRV{"messenger.live.com": {
			{Target: "one.example.", Port: 5222, Priority: 1}, {Target: "two.example.", Port: 5223, Priority: 2},
		}}
		defer w.signIn()()
		if got := w.network.Dials(); !slices.Equal(got, []string{"one.example:5222", "two.example:5223", entry}) {
			t.Errorf("dialled %q", got)
		}
		if w.srv.asked[0] != "_xmpp-client._tcp.messenger.live.com" {
			t.Errorf("asked for %q", w.srv.asked)
		}
	})
}

func TestAServiceThatSRVSaysIsNotOfferedIsNotDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.srv.records = map[string][]*net.SRV{"messenger.live.com": {{Target: "."}}}
		defer w.run()()
		if ev := w.problem(xmppside.CodeNotTheService); len(w.network.Dials()) != 0 || ev.Problem.Action != xmppside.RetryLongest {
			t.Errorf("%+v after dialling %q", ev, w.network.Dials())
		}
	})
}

func TestASilentTargetIsLeftForTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.srv.records = map[string][]*net.SRV{"messenger.live.com": {{Target: "mute.example.", Port: 5222}}}
		mute := w.network.Listen("mute.example:5222")
		defer mute.Close() //nolint:errcheck // never fails
		began := time.Now()
		defer w.signIn()()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}
