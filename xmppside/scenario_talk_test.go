package xmppside_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/presence"
)

func TestSigningInFetchesTheContactsShowsPresenceAndPassesMessagesBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{account: func(c *xmppside.AccountConfig) { c.Presence = xmppside.Presence{Show: presence.DND, Status: "lunch"} }})
		stop := w.run()
		defer stop()
		signedIn := next(w, "the sign-in", anyOf[xmppside.SignedIn])
		if got, want := signedIn.JID.Bare().String(), w.server.Account(john).JID(); got != want || signedIn.Resource != "bridge" || signedIn.Host != entry {
			t.Errorf("signed in as %+v, want %s at %s", signedIn, want, entry)
		}
		roster := next(w, "the roster", anyOf[xmppside.RosterLoaded])
		if len(roster.Items) != 1 || !strings.EqualFold(roster.Items[0].Raw, w.server.Account(ann).JID()) || roster.Items[0].Name != "Ann" {
			t.Errorf("roster %+v", roster)
		}
		w.state(xmppside.Online)
		if p := next(w, "Ann's presence", anyOf[xmppside.PresenceUpdate]); !p.Available || p.From.Resourcepart() == "" {
			t.Errorf("presence %+v", p)
		}
		s := w.account.Session()
		const text = "Grüße\n<&> \"'😀"
		if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "m1", text); err != nil {
			t.Fatal(err)
		}
		if err := s.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		received, err := w.server.Account(ann).WaitReceived(t.Context(), 1)
		if err != nil || received[0].Body != text || received[0].ID != "m1" {
			t.Fatalf("Ann received %+v, %v", received, err)
		}
		if err := w.server.Account(ann).SendMessage(john, text); err != nil {
			t.Fatal(err)
		}
		m := next(w, "Ann's message", anyOf[xmppside.Message])
		if m.Body != text || m.From.Bare().String() != w.server.Account(ann).JID() || m.Type != "chat" || m.Delay != nil {
			t.Errorf("message %+v", m)
		}
		if got := w.trace.sent(func(x string) bool { return strings.HasPrefix(x, "<presence") }); len(got) != 1 || !strings.Contains(got[0], "dnd") || !strings.Contains(got[0], "lunch") {
			t.Errorf("presence sent: %q", got)
		}
	})
}

func TestAHundredMessagesEachWayKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		s := w.account.Session()
		for i := range 100 {
			if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), fmt.Sprint("m", i), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			if err := w.server.Account(ann).SendMessage(john, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		received, err := w.server.Account(ann).WaitReceived(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if received[i].Body != fmt.Sprint(i) {
				t.Fatalf("Ann got %q at place %d", received[i].Body, i)
			}
			if m := next(w, "a message", anyOf[xmppside.Message]); m.Body != fmt.Sprint(i) {
				t.Fatalf("John got %q at place %d", m.Body, i)
			}
		}
	})
}

func TestOfflineMessagesComeWithTheTimeTheyWereWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		if err := w.server.Account(ann).SendMessage(john, "are you there?"); err != nil {
			t.Fatal(err)
		}
		defer w.signIn()()
		if m := next(w, "the stored message", anyOf[xmppside.Message]); m.Body != "are you there?" || m.Delay == nil || m.Delay.Time.IsZero() {
			t.Errorf("message %+v", m)
		}
	})
}
