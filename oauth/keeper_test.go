package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/tokens"
	"matrix-messenger/oauth"
)

// vault is a database that holds one login's tokens.
type vault struct {
	mu     sync.Mutex
	tokens oauth.Tokens
	stores int
	broken error
}

func (v *vault) store(_ context.Context, t oauth.Tokens) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.broken != nil {
		return v.broken
	}
	v.tokens = t
	v.stores++
	return nil
}

func (v *vault) breakWith(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.broken = err
}

func (v *vault) stored() (oauth.Tokens, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tokens, v.stores
}

func noJitter() time.Duration { return 0 }

func (s *scene) keep(t oauth.Tokens) (*oauth.Keeper, *vault) {
	s.Helper()
	v := &vault{tokens: t}
	k, err := oauth.NewKeeper(s.client, t, oauth.KeeperOptions{Store: v.store, Jitter: noJitter})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(k.Close)
	return k, v
}

func (s *scene) token(k *oauth.Keeper, refused string) string {
	s.Helper()
	token, err := k.Token(s.ctx(), refused)
	if err != nil {
		s.Fatal(err)
	}
	return token
}

func TestATokenIsRefreshedWhenLessThanFiveMinutesAreLeft(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	k, v := s.keep(first)
	if at := k.RefreshAt(); !at.Equal(s.clock.Now().Add(55 * time.Minute)) {
		t.Errorf("RefreshAt is %v", at)
	}
	s.clock.Advance(55*time.Minute - time.Second)
	if s.token(k, "") != first.Access {
		t.Error("refreshed too early")
	}
	s.clock.Advance(time.Second)
	second := s.token(k, "")
	if second == first.Access {
		t.Fatal("not refreshed")
	}
	s.expectToken(second, tokens.Valid)
	stored, stores := v.stored()
	if stored.Access != second || stored.Refresh == first.Refresh || stores != 1 {
		t.Errorf("%d times stored", stores)
	}
	if s.token(k, "") != second || !stored.Expires.Equal(s.clock.Now().Add(time.Hour)) {
		t.Error("the new token is not kept")
	}
	s.say(k)
}

func TestJitterMovesTheRefreshForward(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	k, err := oauth.NewKeeper(s.client, first, oauth.KeeperOptions{Store: (&vault{}).store, Jitter: func() time.Duration { return 30 * time.Second }})
	if err != nil {
		t.Fatal(err)
	}
	if at := k.RefreshAt(); !at.Equal(first.Expires.Add(-5*time.Minute - 30*time.Second)) {
		t.Errorf("RefreshAt is %v", at)
	}
	k, err = oauth.NewKeeper(s.client, first, oauth.KeeperOptions{Store: (&vault{}).store})
	if err != nil {
		t.Fatal(err)
	}
	if early := first.Expires.Sub(k.RefreshAt()); early < 5*time.Minute || early >= 6*time.Minute {
		t.Errorf("by default a refresh is %v before the end", early)
	}
}

func TestARefusedTokenIsRefreshedOnce(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	k, v := s.keep(first)
	s.tokens.Revoke(first.Access)
	second := s.token(k, first.Access)
	s.expectToken(second, tokens.Valid)
	// Someone else was refused with the old one too: it is replaced already.
	if s.token(k, first.Access) != second {
		t.Error("refreshed twice for the same refused token")
	}
	if _, stores := v.stored(); stores != 1 {
		t.Errorf("stored %d times", stores)
	}
}

func TestManyCallersShareOneRefresh(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	k, v := s.keep(first)
	s.clock.Advance(2 * time.Hour)
	var wg sync.WaitGroup
	got := make([]string, 20)
	for i := range got {
		wg.Go(func() {
			token, err := k.Token(s.ctx(), "")
			if err != nil {
				t.Error(err)
			}
			got[i] = token
		})
	}
	wg.Wait()
	for _, token := range got {
		if token != got[0] {
			t.Fatal("callers got different tokens")
		}
	}
	if _, stores := v.stored(); stores != 1 || len(s.tokenRequests()) != 2 {
		t.Errorf("%d stores, %d requests", stores, len(s.tokenRequests()))
	}
}

func TestTokensOfOneMinuteLastThroughManyExpiries(t *testing.T) {
	s := newScene(t, pasteWay)
	s.set(oauthserver.Switches{TokenLife: time.Minute})
	k, v := s.keep(s.signIn())
	seen := make(map[string]bool)
	for range 120 {
		token := s.token(k, "")
		s.expectToken(token, tokens.Valid)
		seen[token] = true
		s.clock.Advance(15 * time.Second)
	}
	// 30 minutes; each token is used for half of its minute and then replaced.
	_, stores := v.stored()
	if len(seen) < 55 || len(seen) > 65 || stores < 55 || stores > 65 {
		t.Errorf("%d tokens, %d stores", len(seen), stores)
	}
}

func TestATransientFailureKeepsTheTokens(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	k, v := s.keep(first)
	s.set(oauthserver.Switches{TokenAddress: oauthserver.TokenBroken})
	s.clock.Advance(57 * time.Minute)
	if s.token(k, "") != first.Access {
		t.Error("a token that is still valid was not given")
	}
	_, err := k.Token(s.ctx(), first.Access)
	s.expectClass(err, oauth.Transient)
	s.clock.Advance(time.Hour)
	_, err = k.Token(s.ctx(), "")
	s.expectClass(err, oauth.Transient)
	if _, stores := v.stored(); stores != 0 {
		t.Error("something was stored")
	}
	s.set(oauthserver.Switches{})
	s.expectToken(s.token(k, ""), tokens.Valid)
}

func TestARefusedRefreshTokenNeedsALogin(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	k, _ := s.keep(first)
	s.set(oauthserver.Switches{RefreshToken: oauthserver.RefreshExpired})
	before := len(s.tokenRequests())
	for range 3 {
		_, err := k.Token(s.ctx(), first.Access)
		s.expectClass(err, oauth.LoginNeeded)
	}
	if n := len(s.tokenRequests()) - before; n != 1 {
		t.Errorf("the service was asked %d times with a refresh token that it had refused", n)
	}
	if s.token(k, "") != first.Access {
		t.Error("a token that is still valid was not given")
	}
	s.set(oauthserver.Switches{})
	if _, err := k.Token(s.ctx(), first.Access); oauth.ClassOf(err) != oauth.LoginNeeded {
		t.Errorf("a refused refresh token was tried again: %v", err)
	}
}

func TestATokenWithoutRefreshTokenIsUsedToItsEnd(t *testing.T) {
	s := newScene(t, pasteWay)
	tok := s.signIn()
	tok.Refresh = ""
	k, _ := s.keep(tok)
	if !k.RefreshAt().IsZero() {
		t.Error("a refresh is planned without a refresh token")
	}
	s.clock.Advance(59 * time.Minute)
	if s.token(k, "") != tok.Access {
		t.Error("the token was not given")
	}
	_, err := k.Token(s.ctx(), tok.Access)
	s.expectClass(err, oauth.LoginNeeded)
	s.clock.Advance(time.Minute)
	_, err = k.Token(s.ctx(), "")
	s.expectClass(err, oauth.LoginNeeded)

	tok.Expires = time.Time{} // pasted: nobody knows how long it lives
	k, _ = s.keep(tok)
	if s.token(k, "") != tok.Access {
		t.Error("a token of unknown life was not given")
	}
}

func TestNewTokensAreNotUsedBeforeTheyAreStored(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	k, v := s.keep(first)
	broken := errors.New("disk is full")
	v.breakWith(broken)
	for range 2 {
		_, err := k.Token(s.ctx(), first.Access)
		s.expectClass(err, oauth.Transient)
		if !errors.Is(err, broken) {
			t.Errorf("error is %v", err)
		}
	}
	if n := len(s.tokenRequests()); n != 2 {
		t.Errorf("%d requests: new tokens were thrown away because they could not be stored", n)
	}
	if s.token(k, "") != first.Access {
		t.Error("unstored tokens were used, or the old ones lost")
	}
	v.breakWith(nil)
	second := s.token(k, first.Access)
	s.expectToken(second, tokens.Valid)
	if stored, _ := v.stored(); stored.Access != second || len(s.tokenRequests()) != 2 {
		t.Error("what was stored is not what was obtained")
	}
}

func TestARefreshIsFinishedThoughItsCallerGivesUp(t *testing.T) {
	s := newScene(t, pasteWay)
	first := s.signIn()
	asked, answer := make(chan struct{}), make(chan struct{})
	s.cfg.HTTPClient = &http.Client{Transport: slow{asked, answer}}
	client, err := oauth.NewClient(s.cfg, oauth.WithClock(s.clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	s.client = client
	k, v := s.keep(first)
	ctx, cancel := context.WithCancel(s.ctx())
	gone := make(chan error, 1)
	go func() {
		_, err := k.Token(ctx, first.Access)
		gone <- err
	}()
	<-asked
	cancel()
	if err := s.await(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	close(answer)
	k.Close()
	stored, stores := v.stored()
	if stores != 1 || stored.Refresh == first.Refresh {
		t.Fatal("the refreshed tokens were lost")
	}
	if s.token(k, "") != stored.Access {
		t.Error("a closed keeper does not give its valid token")
	}
	_, err = k.Token(s.ctx(), stored.Access)
	s.expectClass(err, oauth.Transient)
}

// slow holds a request back after it was begun.
type slow struct{ asked, answer chan struct{} }

func (t slow) RoundTrip(r *http.Request) (*http.Response, error) {
	close(t.asked)
	<-t.answer
	return http.DefaultTransport.RoundTrip(r)
}

func TestAKeeperWithoutStoreIsNotMade(t *testing.T) {
	s := newScene(t, pasteWay)
	if _, err := oauth.NewKeeper(s.client, s.signIn(), oauth.KeeperOptions{}); err == nil {
		t.Error("a keeper without Store was made")
	}
}
