package prosody

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const domain = "messenger.live.com"

func account(user, name string, contacts ...string) Account {
	// Random bytes hold what base64 writes as + and /, as a genuine token did.
	token := make([]byte, 545)
	_, _ = rand.Read(token)
	return Account{
		User: user, Email: strings.ToLower(name) + "@contoso.com", Token: base64.StdEncoding.EncodeToString(token),
		Name: name + " Contoso", Contacts: contacts,
	}
}

// people are John, his contact Mary, and Bob, who is nobody's contact yet.
func people() (john, mary, bob Account) {
	bob = account("12345", "Bob")
	bob.Name = `Bob "Böbbel" O'Contoso & Søn \o/`
	return account("00f1e2d3c4b5a697", "John", "mary@contoso.com"), account("7766554433221100", "Mary", "john@contoso.com"), bob
}

// newServer runs Prosody until the end of the test.
func newServer(t *testing.T, accounts ...Account) *Server {
	t.Helper()
	server, err := New(Options{Dir: t.TempDir(), Domain: domain, Accounts: accounts})
	if errors.Is(err, ErrMissing) {
		t.Skip("peer: " + err.Error())
	}
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("--- prosody\n%s", server.Log(80))
		}
		must(t, server.Stop())
	})
	must(t, server.Start(context.Background()))
	return server
}

func limit(t *testing.T, patience time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func signedIn(t *testing.T, ctx context.Context, server *Server, account Account) *Contact {
	t.Helper()
	contact, err := server.SignIn(ctx, account)
	must(t, err)
	t.Cleanup(contact.Close)
	return contact
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoContactsTalkThroughProsody(t *testing.T) {
	john, mary, _ := people()
	server := newServer(t, john, mary)
	ctx := limit(t, time.Minute)
	a, b := signedIn(t, ctx, server, john), signedIn(t, ctx, server, mary)
	if !strings.HasPrefix(a.JID(), john.User+"@"+domain+"/") {
		t.Errorf("John is %s", a.JID())
	}
	texts := []string{"Hello", "<b> & 'quoted' \"äöü\" 😀", "third"}
	for _, text := range texts {
		must(t, a.Say(mary.User+"@"+domain, text))
	}
	received, err := b.WaitReceived(ctx, len(texts))
	must(t, err)
	if !slices.Equal(received, texts) {
		t.Errorf("Mary got %q", received)
	}
}

func TestProsodyAsksForATokenItKnows(t *testing.T) {
	john, mary, bob := people()
	server := newServer(t, john, mary)
	_, err := server.SignIn(limit(t, time.Minute), bob)
	if err == nil || !strings.Contains(err.Error(), "not-authorized") {
		t.Errorf("a token that nobody has got: %v", err)
	}
}

func TestProsodySendsWhoComesToTheEntranceOn(t *testing.T) {
	john, mary, _ := people()
	server := newServer(t, john, mary)
	_, _, err := signIn(limit(t, time.Minute), server.Address(), domain, server.CAFile(), john.Token)
	if err == nil || !strings.Contains(err.Error(), "see-other-host") || !strings.Contains(err.Error(), server.Gateway()) {
		t.Errorf("at the entrance: %v", err)
	}
}
