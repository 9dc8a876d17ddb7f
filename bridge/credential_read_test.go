package bridge

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/status"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// withSignIn gives a test's client a database with a sign-in, and a function that runs SQL in it.
func withSignIn(t *testing.T) (*Client, func(sql string)) {
	cl := newTestHistory(t).cl
	raw := withDatabase(t, cl)
	if _, err := cl.c.db.Credential.Put(t.Context(), database.Credential{LoginID: cl.id(), AccessToken: "token"}); err != nil {
		t.Fatal(err)
	}
	return cl, func(sql string) {
		t.Helper()
		if _, err := raw.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
			t.Error(err)
		}
	}
}

// logged is a log, and tells of each line in it that holds a word.
func logged(word string) (zerolog.Logger, <-chan struct{}) {
	lines := make(chan struct{}, 100)
	return zerolog.New(hook{word: word, run: func() { lines <- struct{}{} }}), lines
}

func await(t *testing.T, what string, lines <-chan struct{}) {
	t.Helper()
	select {
	case <-lines:
	case <-time.After(20 * time.Second):
		t.Fatal("this did not happen: " + what)
	}
}

func TestADatabaseThatIsAwayForLongCostsNobodyTheirSignIn(t *testing.T) {
	cl, run := withSignIn(t)
	var lines <-chan struct{}
	cl.log, lines = logged("cannot be read and is tried again")
	run("ALTER TABLE messenger_credential RENAME TO gone")
	state := &running{again: make(chan struct{}, 1)}
	cl.running = state
	got := make(chan database.Credential, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		credential, _ := cl.credential(ctx, state)
		got <- credential
	}()
	for range 7 { // more often than anybody gives up after
		await(t, "a further attempt", lines)
		cl.Connect(ctx)
	}
	await(t, "a last attempt", lines)
	for deadline := time.Now().Add(20 * time.Second); cl.stateName() != status.StateTransientDisconnect; {
		if time.Now().After(deadline) {
			t.Fatalf("the state is %s", cl.stateName())
		}
		time.Sleep(time.Millisecond)
	}
	if text := cl.describe(time.Now()); !strings.Contains(text, "database does not answer") || !strings.Contains(text, string(codeDatabase)) {
		t.Errorf("status says: %s", text)
	}
	run("ALTER TABLE gone RENAME TO messenger_credential")
	cl.Connect(ctx)
	select {
	case credential := <-got:
		if credential.AccessToken != "token" {
			t.Errorf("the sign-in is %q", credential.AccessToken)
		}
	case <-time.After(20 * time.Second):
		t.Error("the sign-in was not read although the database is back")
	}
}

func TestASignInThatCannotBeOpenedSaysSoAndIsReadAgainWhenAsked(t *testing.T) {
	for name, test := range map[string]struct{ broken, says string }{
		"another key's": {`UPDATE messenger_credential SET access_token='v1:00000000:AAAA'`, "secret_key"},
		"damaged":       {`UPDATE messenger_credential SET access_token='nonsense'`, "damaged"},
		"not there":     {`DELETE FROM messenger_credential`, "No sign-in is stored"},
	} {
		t.Run(name, func(t *testing.T) {
			cl, run := withSignIn(t)
			var lines <-chan struct{}
			cl.log, lines = logged("no usable sign-in")
			run(test.broken)
			state := &running{again: make(chan struct{}, 1)}
			cl.running = state
			got := make(chan database.Credential, 1)
			go func() {
				credential, _ := cl.credential(t.Context(), state)
				got <- credential
			}()
			await(t, "the sign-in is found to be unusable", lines)
			cl.Connect(t.Context()) // tried again, with the same end
			await(t, "it is looked at again", lines)
			for deadline := time.Now().Add(20 * time.Second); cl.stateName() != status.StateBadCredentials; {
				if time.Now().After(deadline) {
					t.Fatalf("the state is %s", cl.stateName())
				}
				time.Sleep(time.Millisecond)
			}
			if text := cl.describe(time.Now()); !strings.Contains(text, test.says) || !strings.Contains(text, "`login`") {
				t.Errorf("status says: %s", text)
			}
			if _, err := cl.c.db.Credential.Put(t.Context(), database.Credential{LoginID: cl.id(), AccessToken: "new"}); err != nil {
				t.Fatal(err)
			}
			cl.Connect(t.Context())
			select {
			case credential := <-got:
				if credential.AccessToken != "new" {
					t.Errorf("the sign-in is %q", credential.AccessToken)
				}
			case <-time.After(20 * time.Second):
				t.Error("the new sign-in was not read")
			}
		})
	}
}

func TestOnlyAnUnusableSignInAsksForANewOne(t *testing.T) {
	if problem := lostCredential(context.DeadlineExceeded); problem != nil {
		t.Errorf("a slow database ends the sign-in: %s", problem.Text)
	}
	if problem := lostCredential(database.ErrUnknownKey); problem == nil || problem.Action != xmppside.Login {
		t.Error("a sign-in of another key is waited for")
	}
}
