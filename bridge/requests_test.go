package bridge

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	"mellium.im/xmpp/jid"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/delay"
	wire "matrix-messenger/xmppside/presence"
)

// newRequests is what an account knows of requests, with one of Mary's that waits, and a function that runs SQL.
func newRequests(t *testing.T) (*people, func(sql string)) {
	cl := newTestHistory(t).cl
	raw := withDatabase(t, cl)
	cl.people = newPeople(cl)
	cl.people.worker.running = true // nothing of Matrix is there for a worker
	_, _, err := cl.c.db.Request.Open(t.Context(), database.Request{LoginID: cl.id(), JID: mary, Direction: database.RequestIn})
	if err != nil {
		t.Fatal(err)
	}
	return cl.people, func(sql string) { mustExec(t, raw, sql) }
}

func mustExec(t *testing.T, raw *dbutil.Database, sql string) {
	t.Helper()
	if _, err := raw.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
		t.Fatal(err)
	}
}

func isHeld(t *testing.T, p *people) bool {
	t.Helper()
	held, err := p.hold(t.Context(), incoming{From: mary, Text: "hello", Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func TestMessagesAreNotHeldForEverWhenTheAnswerThatADecisionIsStoredWasLost(t *testing.T) {
	withdraw := xmppside.Subscription{Type: wire.Unsubscribe, From: jid.MustParse(mary), FromRaw: mary}
	for name, test := range map[string]struct {
		decide func(ctx context.Context, p *people) error
		became string
	}{
		"accepting": {func(ctx context.Context, p *people) error { _, err := p.decide(ctx, mary, true); return err }, "accepting"},
		"declining": {func(ctx context.Context, p *people) error { _, err := p.decide(ctx, mary, false); return err }, "declining"},
		"withdrawn": {func(ctx context.Context, p *people) error { return p.subscription(ctx, withdraw) }, "withdrawn"},
	} {
		t.Run(name, func(t *testing.T) {
			p, run := newRequests(t)
			if !isHeld(t, p) {
				t.Fatal("a message of somebody who waits is not held")
			}
			run("ALTER TABLE messenger_held_message RENAME TO gone")
			if err := test.decide(t.Context(), p); err == nil {
				t.Fatal("a database that fails is not noticed")
			}
			run("ALTER TABLE gone RENAME TO messenger_held_message")
			if !isHeld(t, p) {
				t.Fatal("a message of somebody who still waits is not held")
			}
			if err := test.decide(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			p.mu.Lock()
			p.waiting = map[string]struct{}{mary: {}} // as if that had not come back from the database
			p.mu.Unlock()
			run("ALTER TABLE messenger_request RENAME TO gone")
			if err := test.decide(t.Context(), p); err == nil {
				t.Fatal("a database that fails is not noticed")
			}
			run("ALTER TABLE gone RENAME TO messenger_request")
			if isHeld(t, p) {
				t.Error("a message is held for a decision that was taken")
			}
			row, _, err := p.cl.c.db.Request.Get(t.Context(), p.cl.id(), mary, database.RequestIn)
			if err != nil || string(row.State) != test.became {
				t.Errorf("the request is %s (%v)", row.State, err)
			}
			if !p.worker.again {
				t.Error("nobody carries the decision out")
			}
		})
	}
}

func TestWhatWasDecidedElsewhereIsNotDecidedAgain(t *testing.T) {
	p, run := newRequests(t)
	if !isHeld(t, p) {
		t.Fatal("a message of somebody who waits is not held")
	}
	run("UPDATE messenger_request SET state='accepted'")
	if moved, err := p.decide(t.Context(), mary, false); moved || err != nil {
		t.Fatalf("it is decided again: %v (%v)", moved, err)
	}
	if isHeld(t, p) {
		t.Error("a message is held for a decision that was taken")
	}
}

func TestWhatTheServiceHadStoredOfSomebodyWhoWaitsIsHeldOnce(t *testing.T) {
	p, _ := newRequests(t)
	sent := time.Now().Add(-time.Hour).Truncate(time.Second)
	comes := func(text string, sent time.Time) {
		t.Helper()
		err := p.cl.inbound.message(t.Context(), xmppside.Message{
			Type: "chat", From: jid.MustParse(mary), FromRaw: mary, Body: text, Delay: &delay.Delay{Time: sent},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for session := range uint64(3) { // each breaks before the service knows that the messages have arrived
		p.cl.history.begin(8+session, time.Now())
		comes("hello", sent)
		comes("ok", sent)
		comes("ok", sent) // somebody may say so twice in a second
		comes("ok", sent.Add(time.Second))
	}
	held, err := p.cl.c.db.Held.List(t.Context(), p.cl.id(), mary)
	if err != nil || len(held) != 4 {
		t.Fatalf("of 4 messages %d are held (%v)", len(held), err)
	}
	if !held[3].Stamp.Equal(sent.Add(time.Second)) {
		t.Errorf("a message of %v is held as of %v", sent, held[3].Stamp)
	}
}
