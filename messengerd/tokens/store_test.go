package tokens_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"matrix-messenger/internal/testclock"
	"matrix-messenger/messengerd/tokens"
)

func newClock() *testclock.Clock { return testclock.New(time.Date(2012, 4, 1, 0, 0, 0, 0, time.UTC)) }

func expectStatus(t *testing.T, s *tokens.Store, value, account string, want tokens.Status) {
	t.Helper()
	gotAccount, got := s.Lookup(value)
	if got != want || gotAccount != account {
		t.Errorf("Lookup = %q, %v; want %q, %v", gotAccount, got, account, want)
	}
}

func TestATokenIsValidUntilItsLifeIsOver(t *testing.T) {
	c := newClock()
	s := tokens.New(tokens.Options{Now: c.Now})
	tok := s.Issue("john")
	if want := c.Now().Add(time.Hour); !tok.Expires.Equal(want) {
		t.Errorf("a token expires at %v, want %v", tok.Expires, want)
	}
	expectStatus(t, s, tok.Value, "john", tokens.Valid)
	c.Advance(time.Hour - time.Second)
	expectStatus(t, s, tok.Value, "john", tokens.Valid)
	c.Advance(time.Second)
	expectStatus(t, s, tok.Value, "john", tokens.Expired)
	expectStatus(t, s, "never issued", "", tokens.Unknown)
	expectStatus(t, s, "", "", tokens.Unknown)
}

func TestLifeCanBeChangedForTheNextTokens(t *testing.T) {
	c := newClock()
	s := tokens.New(tokens.Options{Now: c.Now, Life: time.Minute})
	first := s.Issue("john")
	s.SetLife(time.Second)
	second := s.Issue("john")
	c.Advance(time.Second)
	expectStatus(t, s, first.Value, "john", tokens.Valid)
	expectStatus(t, s, second.Value, "john", tokens.Expired)
}

func TestARevokedTokenStaysRevoked(t *testing.T) {
	c := newClock()
	s := tokens.New(tokens.Options{Now: c.Now})
	john, john2, mary := s.Issue("john"), s.Issue("john"), s.Issue("mary")
	s.Revoke(john.Value)
	s.Revoke("unknown")
	expectStatus(t, s, john.Value, "john", tokens.Revoked)
	expectStatus(t, s, john2.Value, "john", tokens.Valid)
	s.RevokeAccount("john")
	expectStatus(t, s, john2.Value, "john", tokens.Revoked)
	expectStatus(t, s, mary.Value, "mary", tokens.Valid)
	c.Advance(2 * time.Hour)
	expectStatus(t, s, john.Value, "john", tokens.Revoked)
}

func TestTokensFromTheConfigurationNeverExpire(t *testing.T) {
	c := newClock()
	s := tokens.New(tokens.Options{Now: c.Now, Max: 3})
	s.Add("fixed", "john", time.Time{})
	for range 10 {
		s.Issue("mary")
	}
	c.Advance(10 * 365 * 24 * time.Hour)
	s.Issue("mary")
	expectStatus(t, s, "fixed", "john", tokens.Valid)
	if _, ok := s.ExpiresAt("fixed"); ok {
		t.Error("a token that never expires has an expiry time")
	}
	s.Add("fixed", "mary", c.Now().Add(time.Minute))
	expectStatus(t, s, "fixed", "mary", tokens.Valid)
	if at, ok := s.ExpiresAt("fixed"); !ok || !at.Equal(c.Now().Add(time.Minute)) {
		t.Errorf("ExpiresAt = %v, %v", at, ok)
	}
}

func TestTheStoreIsBounded(t *testing.T) {
	c := newClock()
	s := tokens.New(tokens.Options{Now: c.Now, Life: time.Minute, Remember: time.Hour, Max: 50})
	first := s.Issue("john")
	for range 200 {
		c.Advance(time.Millisecond)
		s.Issue("john")
	}
	if n := s.Len(); n != 50 {
		t.Errorf("%d tokens kept, want 50", n)
	}
	expectStatus(t, s, first.Value, "", tokens.Unknown)
	last := s.Issue("mary")
	c.Advance(30 * time.Minute)
	expectStatus(t, s, last.Value, "mary", tokens.Expired)
	c.Advance(time.Hour)
	s.Issue("john")
	if n := s.Len(); n != 1 {
		t.Errorf("%d tokens kept after all others were forgotten, want 1", n)
	}
}

func TestShapesOfTokens(t *testing.T) {
	tests := []struct {
		shape     tokens.Shape
		length    int
		canonical bool
	}{
		{tokens.Canonical, 728, true},
		{tokens.NotBase64, 204, false},
		{tokens.Short, 24, true},
		{tokens.Long, 4096, true},
	}
	for _, tt := range tests {
		t.Run(tt.shape.String(), func(t *testing.T) {
			s := tokens.New(tokens.Options{})
			s.SetShape(tt.shape)
			seen := make(map[string]bool)
			for range 50 {
				v := s.Issue("john").Value
				if seen[v] {
					t.Fatal("a token was issued twice")
				}
				seen[v] = true
				if len(v) != tt.length {
					t.Fatalf("a token has %d characters, want %d", len(v), tt.length)
				}
				raw, err := base64.StdEncoding.Strict().DecodeString(v)
				if canonical := err == nil && base64.StdEncoding.EncodeToString(raw) == v; canonical != tt.canonical {
					t.Fatalf("canonical base64 is %v, want %v: %s", canonical, tt.canonical, v)
				}
				if tt.canonical && !strings.HasPrefix(v, "EwA") {
					t.Fatalf("a token begins with %q, want EwA", v[:3])
				}
				if tt.shape == tokens.Canonical && (!strings.Contains(v, "+") || !strings.Contains(v, "/") || !strings.HasSuffix(v, "==")) {
					t.Fatalf("a token lacks '+', '/' or the ending '==': %s", v)
				}
			}
			if got, err := tokens.ParseShape(strings.ReplaceAll(tt.shape.String(), " ", "_")); err != nil || got != tt.shape {
				t.Errorf("ParseShape = %v, %v", got, err)
			}
		})
	}
	if _, err := tokens.ParseShape("round"); err == nil {
		t.Error("an unknown shape was accepted")
	}
}

func TestTheStoreMayBeSharedByGoroutines(t *testing.T) {
	s := tokens.New(tokens.Options{Max: 100})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			account := fmt.Sprint("account", i)
			for range 100 {
				tok := s.Issue(account)
				s.Lookup(tok.Value)
				s.Revoke(tok.Value)
				s.SetLife(time.Hour)
				s.SetShape(tokens.Short)
				s.RevokeAccount(account)
			}
		})
	}
	wg.Wait()
	if n := s.Len(); n != 100 {
		t.Errorf("%d tokens kept, want 100", n)
	}
}
