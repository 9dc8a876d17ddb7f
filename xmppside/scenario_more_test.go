package xmppside_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/chatstate"
	"matrix-messenger/xmppside/presence"
)

func TestTypingIsPassedBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		next(w, "Ann's presence", anyOf[xmppside.PresenceUpdate])
		synctest.Wait() // the service knows of ours, and has noted it
		if err := w.server.Account(ann).SetTyping(john, "composing"); err != nil {
			t.Fatal(err)
		}
		if ev := next(w, "typing", anyOf[xmppside.ChatState]); ev.State != chatstate.Composing || ev.From.Resourcepart() == "" {
			t.Errorf("%+v", ev)
		}
		if err := w.account.Session().SendChatState(t.Context(), w.server.Account(ann).JID(), chatstate.Composing); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.server.Account(ann).Typing(john); got != "composing" {
			t.Errorf("Ann sees %q", got)
		}
	})
}

func TestAnInvitationComesWithNicknameAndTextAndIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{config: func(c *messengerd.Config) {
			c.Accounts = append(c.Accounts, messengerd.AccountConfig{Email: "mary@contoso.com", Name: "Mary", Contact: true})
		}})
		defer w.signIn()()
		mary := w.server.Account("mary@contoso.com")
		mary.Invite(john, "Mary Contoso", "it's me")
		ev := next(w, "the invitation", anyOf[xmppside.Subscription])
		if ev.Type != presence.Subscribe || ev.Nick != "Mary Contoso" || ev.From.String() != mary.JID() || ev.FromRaw != mary.JID() {
			t.Errorf("%+v", ev)
		}
		s := w.account.Session()
		for _, typ := range []presence.Type{presence.Subscribed, presence.Subscribe} {
			if err := s.SendSubscription(t.Context(), typ, ev.FromRaw, "John", ""); err != nil {
				t.Fatal(err)
			}
		}
		push := next(w, "the roster push", func(p xmppside.RosterPush) bool { return p.Item.IsContact() })
		if push.Item.Key() != mary.JID() {
			t.Errorf("%+v", push)
		}
		next(w, "Mary's presence", func(p xmppside.PresenceUpdate) bool { return p.From.Bare().String() == mary.JID() && p.Available })
	})
}

func TestANewStartWhileOnlineUsesTheNewToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		first := w.account.Session()
		asked, _ := w.tokens.counts()
		w.account.Reconnect()
		<-first.Done()
		ev := next(w, "the new session", func(ev xmppside.StateEvent) bool {
			if ev.State == xmppside.Waiting {
				t.Errorf("waited: %+v", ev)
			}
			return ev.State == xmppside.Online
		})
		if again, _ := w.tokens.counts(); again != asked+1 || ev.Session == first.ID() {
			t.Errorf("asked for a token %d times, session %d", again-asked, ev.Session)
		}
	})
}

func TestStoppingNeverWaitsLong(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, s := range map[string]setup{
		"while a dial hangs":       {options: func(o *xmppside.ServiceOptions) { o.Dial = hang }},
		"while waiting":            {options: func(o *xmppside.ServiceOptions) { o.Dial = refuse }},
		"while SRV is silent":      {},
		"while the roster is late": {config: func(c *messengerd.Config) { c.Switches.Faults.Delay = 20 * time.Second }},
		"while signed out":         {config: func(c *messengerd.Config) { c.Switches.SASLFailure.Always = true }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, s)
				w.srv.silent = map[string]bool{"messenger.live.com": strings.Contains(name, "SRV")}
				stop := w.run()
				time.Sleep(2500 * time.Millisecond)
				began := time.Now()
				w.account.Stop()
				w.state(xmppside.Stopped)
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("took %v", took)
				}
				stop()
			})
		})
	}
}

func TestAnAccountThatIsStoppedBeforeItRunsDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.account.Stop()
		w.run()()
		if len(w.network.Dials()) != 0 || w.account.State().State != xmppside.Stopped {
			t.Errorf("%+v", w.account.State())
		}
	})
}

func TestAnAbruptEndAndASlowServiceAreSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		w.switches(func(s *messengerd.Switches) { s.Faults.Close = true })
		_ = w.account.Session().Barrier(t.Context())
		w.problem(xmppside.CodeLost)
		w.switches(func(s *messengerd.Switches) { s.Faults.Close, s.Faults.Delay = false, 15*time.Second })
		w.state(xmppside.Online)
		time.Sleep(10 * time.Minute)
		if s := w.account.Session(); s == nil || s.Barrier(t.Context()) != nil {
			t.Error("a service that takes 15 s for everything lost its session")
		}
	})
}

func TestOddStanzasAreDataAndNoReasonToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.run()()
		next(w, "the sign-in", anyOf[xmppside.SignedIn])
		w.state(xmppside.Online)
		for _, raw := range []string{
			`<presence from='' type='subscribe'/>`, `<presence from='@@' type='error'/>`, `<presence from='x@y/z' type='probe'/>`,
			`<message from='` + w.server.Account(john).JID() + `/other' type='headline'><body>self</body></message>`,
		} {
			w.server.SendRaw(john, raw)
		}
		if ev := next(w, "the presence error", anyOf[xmppside.PresenceError]); ev.FromRaw != "@@" {
			t.Errorf("%+v", ev)
		}
		if ev := next(w, "the message", anyOf[xmppside.Message]); ev.Type != "headline" {
			t.Errorf("%+v", ev)
		}
	})
}
