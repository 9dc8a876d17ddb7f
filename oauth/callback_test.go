package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/tokens"
	"matrix-messenger/oauth"
)

// login plays the bridge's login flow: it waits for the tokens and tells the
// page the outcome.
func (s *scene) login(a *oauth.Attempt, name string, failure error) <-chan error {
	result := make(chan error, 1)
	ctx := s.ctx()
	go func() {
		t, err := a.Wait(ctx)
		s.say(t)
		if err == nil {
			if account, status := s.tokens.Lookup(t.Access); account != "john" || status != tokens.Valid {
				err = errors.New("the login got a token that is not valid")
			}
			a.Done(name, failure)
		}
		result <- err
	}()
	return result
}

func (s *scene) await(result <-chan error) error {
	s.Helper()
	select {
	case err := <-result:
		return err
	case <-s.ctx().Done():
		s.Fatal("the login did not end")
		return nil
	}
}

func (s *scene) expectPage(resp *http.Response, page string, status int, words ...string) {
	s.Helper()
	if resp.StatusCode != status {
		s.Errorf("status is %d, want %d", resp.StatusCode, status)
	}
	for _, word := range words {
		if !strings.Contains(page, word) {
			s.Errorf("the page does not say %q:\n%s", word, page)
		}
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			s.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	policy := resp.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "style-src 'sha256-", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, part) {
			s.Errorf("the policy %q lacks %s", policy, part)
		}
	}
	for _, bad := range []string{"<script", "javascript:", "http://", "https://", "src=", "href="} {
		if strings.Contains(page, bad) {
			s.Errorf("the page holds %q", bad)
		}
	}
	s.said.Write([]byte(page))
}

func TestAUserSignsInWithTheBrowser(t *testing.T) {
	s := newScene(t)
	link, a := s.client.Begin(owner)
	result := s.login(a, "John <john@contoso.com>", nil)
	resp, page := s.browserGets(s.userOpens(link, false))
	s.expectPage(resp, page, 200, "You are signed in", "Chatter account", "John &lt;john@contoso.com&gt;", owner, "go back to your Matrix app")
	if err := s.await(result); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.said.String(), "Sign-in code exchanged") {
		t.Error("the log does not say so")
	}
}

func TestASecondVisitOfTheCallbackChangesNothing(t *testing.T) {
	s := newScene(t)
	link, a := s.client.Begin(owner)
	result := s.login(a, "John", nil)
	address := s.userOpens(link, false)
	s.browserGets(address)
	if err := s.await(result); err != nil {
		t.Fatal(err)
	}
	resp, page := s.browserGets(address)
	s.expectPage(resp, page, http.StatusGone, "used already")
	if got := s.tokenRequests(); len(got) != 1 {
		t.Errorf("the code was sent to the service %d times", len(got))
	}
}

func TestDenyingShowsItsPageAndEndsTheLogin(t *testing.T) {
	s := newScene(t)
	link, a := s.client.Begin(owner)
	result := s.login(a, "", nil)
	resp, page := s.browserGets(s.userOpens(link, true))
	s.expectPage(resp, page, http.StatusForbidden, "Access was not allowed")
	s.expectClass(s.await(result), oauth.Refused)
}

func TestAnUnknownOrExpiredStateShowsItsPage(t *testing.T) {
	s := newScene(t)
	link, a := s.client.Begin(owner)
	address := s.userOpens(link, false)
	resp, page := s.browserGets(s.cfg.RedirectURL + "?code=abc&state=foreign")
	s.expectPage(resp, page, http.StatusGone, "has expired")
	resp, page = s.browserGets(s.cfg.RedirectURL + "?code=abc")
	s.expectPage(resp, page, http.StatusGone, "has expired")
	resp, page = s.browserGets(s.cfg.RedirectURL + "?error=access_denied&state=foreign")
	s.expectPage(resp, page, http.StatusGone, "has expired")
	s.clock.Advance(oauth.AttemptLife)
	resp, page = s.browserGets(address)
	s.expectPage(resp, page, http.StatusGone, "has expired")
	if got := s.tokenRequests(); len(got) != 0 {
		t.Errorf("the service was asked %d times", len(got))
	}
	_, err := a.Wait(s.ctx())
	s.expectClass(err, oauth.StartAgain)
}

func TestACancelledLoginsLinkHasExpired(t *testing.T) {
	s := newScene(t)
	link, a := s.client.Begin(owner)
	address := s.userOpens(link, false)
	a.Cancel()
	resp, page := s.browserGets(address)
	s.expectPage(resp, page, http.StatusGone, "has expired")
}

func TestWhatIsNoAnswerLeavesTheSignInAlone(t *testing.T) {
	s := newScene(t)
	link, a := s.client.Begin(owner)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	state := url.QueryEscape(u.Query().Get("state"))
	for _, query := range []string{
		"?state=" + state, "?state=" + state + "&state=" + state, "?code=a&code=b&state=" + state,
		"?state=" + state + "&code=" + strings.Repeat("x", 17<<10),
	} {
		resp, page := s.browserGets(s.cfg.RedirectURL + query)
		s.expectPage(resp, page, http.StatusBadRequest, "nothing to do")
	}
	for _, method := range []string{http.MethodHead, http.MethodPost} {
		req, err := http.NewRequestWithContext(s.ctx(), method, s.cfg.RedirectURL+"?code=a&state="+state, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET" {
			t.Errorf("%s: status %d", method, resp.StatusCode)
		}
	}
	result := s.login(a, "John", nil)
	resp, page := s.browserGets(s.userOpens(link, false))
	s.expectPage(resp, page, 200, "You are signed in")
	if err := s.await(result); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfTheExchangeHaveTheirPages(t *testing.T) {
	tests := []struct {
		name  string
		sw    oauthserver.Switches
		class oauth.Class
		words []string
	}{
		{"code refused", oauthserver.Switches{TokenError: "invalid_grant"}, oauth.StartAgain, []string{"was not accepted", "Start the login again"}},
		{"wrong settings", oauthserver.Switches{TokenError: "invalid_client"}, oauth.Admin, []string{"not set up correctly", "administrator", "invalid_client"}},
		{"denied at the end", oauthserver.Switches{AuthorizeError: "access_denied"}, oauth.Refused, []string{"not allowed"}},
		{"out of order", oauthserver.Switches{AuthorizeError: "server_error"}, oauth.Transient, []string{"does not answer", "few minutes"}},
		{"wrong scope", oauthserver.Switches{AuthorizeError: "invalid_scope"}, oauth.Admin, []string{"not set up correctly", "invalid_scope"}},
		{"broken for long", oauthserver.Switches{TokenAddress: oauthserver.TokenBroken}, oauth.Transient, []string{"does not answer"}},
		{"busy for long", oauthserver.Switches{TokenAddress: oauthserver.TokenBusy}, oauth.Transient, []string{"does not answer"}},
		{"only GET", oauthserver.Switches{TokenAddress: oauthserver.TokenGETOnly}, oauth.Transient, []string{"does not answer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			s.set(tt.sw)
			link, a := s.client.Begin(owner)
			result := s.login(a, "", nil)
			resp, page := s.browserGets(s.userOpens(link, false))
			status := http.StatusBadGateway
			if tt.class == oauth.Refused {
				status = http.StatusForbidden
			}
			s.expectPage(resp, page, status, tt.words...)
			s.expectClass(s.await(result), tt.class)
		})
	}
}

func TestAPassingFaultOfTheServiceIsNotSeenByTheUser(t *testing.T) {
	var faults atomic.Int32
	s := newScene(t)
	client, err := oauth.NewClient(s.cfg, oauth.WithClock(s.clock.Now), oauth.WithDoneWait(testLimit),
		oauth.WithRetryWait(func(int) time.Duration {
			faults.Add(1)
			s.set(oauthserver.Switches{}) // the service has recovered
			return 0
		}))
	if err != nil {
		t.Fatal(err)
	}
	s.useClient(client)
	s.set(oauthserver.Switches{TokenAddress: oauthserver.TokenBroken})
	link, a := s.client.Begin(owner)
	result := s.login(a, "John", nil)
	resp, page := s.browserGets(s.userOpens(link, false))
	s.expectPage(resp, page, 200, "You are signed in")
	if err := s.await(result); err != nil {
		t.Error(err)
	}
	if faults.Load() != 1 {
		t.Errorf("%d repetitions", faults.Load())
	}
}

type sentence string

func (s sentence) Error() string      { return "internal words" }
func (s sentence) HumanError() string { return string(s) }

func TestALoginThatFailsAfterTheSignInSaysWhy(t *testing.T) {
	s := newScene(t)
	for failure, words := range map[error]string{
		sentence("This Messenger account is used by another Matrix user."): "used by another Matrix user.",
		errors.New("internal words"):                                       "something went wrong in the bridge",
	} {
		link, a := s.client.Begin(owner)
		result := s.login(a, "", failure)
		resp, page := s.browserGets(s.userOpens(link, false))
		s.expectPage(resp, page, http.StatusBadGateway, "could not be connected", words)
		if strings.Contains(page, "internal words") {
			t.Error("the page shows internal words")
		}
		if err := s.await(result); err != nil {
			t.Error(err)
		}
	}
}

func TestThePageDoesNotWaitForeverForTheLogin(t *testing.T) {
	s := newScene(t)
	client, err := oauth.NewClient(s.cfg, oauth.WithClock(s.clock.Now), oauth.WithDoneWait(0))
	if err != nil {
		t.Fatal(err)
	}
	s.useClient(client)
	link, a := s.client.Begin(owner)
	resp, page := s.browserGets(s.userOpens(link, false))
	s.expectPage(resp, page, 200, "You are signed in", "is connecting", owner)
	got, err := a.Wait(s.ctx())
	if err != nil {
		t.Fatal(err)
	}
	s.expectToken(got.Access, tokens.Valid)
	a.Done("John", nil) // too late, and no harm
	a.Done("John", nil)
}

func TestALoginGoesOnThoughTheBrowserIsClosed(t *testing.T) {
	s := newScene(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	s.cfg.HTTPClient = &http.Client{Transport: slow{asked, answer}}
	client, err := oauth.NewClient(s.cfg, oauth.WithClock(s.clock.Now), oauth.WithDoneWait(testLimit))
	if err != nil {
		t.Fatal(err)
	}
	s.useClient(client)
	link, a := s.client.Begin(owner)
	ctx, closeBrowser := context.WithCancel(s.ctx())
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, s.userOpens(link, false), nil)
	ended := make(chan error, 1)
	go func() {
		s.callback.ServeHTTP(httptest.NewRecorder(), req)
		ended <- nil
	}()
	<-asked
	closeBrowser()
	close(answer)
	got, err := a.Wait(s.ctx())
	if err != nil {
		t.Fatal(err)
	}
	s.expectToken(got.Access, tokens.Valid)
	if err := s.await(ended); err != nil {
		t.Error(err)
	}
}
