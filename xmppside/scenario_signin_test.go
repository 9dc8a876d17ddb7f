package xmppside_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
)

func TestEveryShapeOfStreamAndSignInThatTheServiceMayHaveIsUnderstood(t *testing.T) {
	for name, change := range map[string]func(*messengerd.Switches){
		"header with to":             func(s *messengerd.Switches) { s.StreamHeader = "to" },
		"header without from":        func(s *messengerd.Switches) { s.StreamHeader = "no_from" },
		"header without declaration": func(s *messengerd.Switches) { s.StreamHeader = "no_declaration" },
		"prefixes from the header":   func(s *messengerd.Switches) { s.XMLStyle = "header_prefixes" },
		"namespace repeated":         func(s *messengerd.Switches) { s.XMLStyle = "repeat_namespace" },
		"no session feature":         func(s *messengerd.Switches) { s.SessionFeature = "absent" },
		"optional session":           func(s *messengerd.Switches) { s.SessionFeature = "optional" },
		"resource overridden":        func(s *messengerd.Switches) { s.Resource = "overridden" },
		"resource refused":           func(s *messengerd.Switches) { s.Resource = "conflict" },
		"tokens not base64":          func(s *messengerd.Switches) { s.IssuedTokens = "not_base64" },
		"short tokens":               func(s *messengerd.Switches) { s.IssuedTokens = "short" },
		"long tokens":                func(s *messengerd.Switches) { s.IssuedTokens = "long" },
		"decimal localparts":         func(s *messengerd.Switches) { s.Localpart = "decimal" },
		"localparts in mixed case":   func(s *messengerd.Switches) { s.Localpart = "mixed_case" },
		"own presence not sent back": func(s *messengerd.Switches) { s.Presence.Own = "not_sent" },
		"answers from nobody":        func(s *messengerd.Switches) { s.IQFrom.Reply, s.IQFrom.Push = "absent", "absent" },
		"answers from the bare JID":  func(s *messengerd.Switches) { s.IQFrom.Reply, s.IQFrom.Push = "bare", "bare" },
		"answers from the full JID":  func(s *messengerd.Switches) { s.IQFrom.Reply, s.IQFrom.Push = "full", "full" },
		"answers from the domain":    func(s *messengerd.Switches) { s.IQFrom.Reply, s.IQFrom.Push = "domain", "domain" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{config: func(c *messengerd.Config) { change(&c.Switches) }})
				defer w.run()()
				signedIn := next(w, "the sign-in", anyOf[xmppside.SignedIn])
				if (signedIn.Resource == "bridge") == strings.HasPrefix(name, "resource") {
					t.Errorf("resource %q", signedIn.Resource)
				}
				next(w, "the roster", anyOf[xmppside.RosterLoaded])
				w.state(xmppside.Online)
				s := w.account.Session()
				if err := s.SendMessage(t.Context(), w.server.Account(ann).JID(), "m1", "hello"); err != nil {
					t.Fatal(err)
				}
				if err := s.Barrier(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.server.Account(ann).Rename(john, "x") // a push goes to Ann's side only
				w.server.Account(john).Rename(ann, "Annie")
				if push := next(w, "the roster push", anyOf[xmppside.RosterPush]); push.Item.Name != "Annie" {
					t.Errorf("push %+v", push)
				}
			})
		})
	}
}

func TestARosterFromAStrangerIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		w.switches(func(s *messengerd.Switches) { s.IQFrom.Push = "foreign" })
		w.server.Account(john).Rename(ann, "Annie")
		if err := w.server.Account(ann).SendMessage(john, "after it"); err != nil {
			t.Fatal(err)
		}
		for {
			ev := next(w, "the message", anyOf[xmppside.Event])
			if _, ok := ev.(xmppside.RosterPush); ok {
				t.Fatal("the push was believed")
			}
			if _, ok := ev.(xmppside.Message); ok {
				break
			}
		}
		synctest.Wait()
		if got := w.trace.sent(func(x string) bool { return strings.Contains(x, "service-unavailable") }); len(got) != 1 {
			t.Errorf("answered %q", got)
		}
	})
}

func TestARefusedTokenIsRenewedOnceBeforeTheUserIsAsked(t *testing.T) {
	for _, condition := range []string{"not-authorized", "credentials-expired", "unknown-condition", "none"} {
		t.Run(condition, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, setup{})
				w.switches(func(s *messengerd.Switches) { s.SASLFailure.Condition = condition })
				w.tokens.set(func() { w.tokens.current = "stale" })
				stop := w.run()
				defer stop()
				w.state(xmppside.Online)
				if asked, refused := w.tokens.counts(); asked != 2 || refused != 1 {
					t.Errorf("asked for a token %d times, %d of them after a refusal", asked, refused)
				}
				// Now the new one is no good either.
				w.switches(func(s *messengerd.Switches) { s.SASLFailure.Always = true })
				w.server.CutSessions()
				ev := w.state(xmppside.SignedOut)
				if ev.Problem.Code != xmppside.CodeTokenRefused || ev.Problem.Action != xmppside.Login {
					t.Errorf("%+v", ev.Problem)
				}
				before := w.trace.auths()
				time.Sleep(24 * time.Hour)
				if w.trace.auths() != before {
					t.Error("an account that is signed out kept trying")
				}
				w.switches(func(s *messengerd.Switches) { s.SASLFailure.Always = false })
				w.account.Reconnect()
				w.state(xmppside.Online)
			})
		})
	}
}

func TestEveryOtherRefusalOfTheSignInHasItsOwnConsequence(t *testing.T) {
	for _, c := range []struct {
		condition string
		state     xmppside.State
		code      xmppside.Code
		action    xmppside.Action
		refreshes int
	}{
		{"temporary-auth-failure", xmppside.Waiting, xmppside.CodeBusy, xmppside.Retry, 0},
		{"account-disabled", xmppside.Waiting, xmppside.CodeAccountDisabled, xmppside.TellUser, 0},
		{"aborted", xmppside.Waiting, xmppside.CodeSignInRefused, xmppside.TellAdmin, 1},
		{"invalid-authzid", xmppside.Waiting, xmppside.CodeSignInRefused, xmppside.TellAdmin, 1},
		{"invalid-mechanism", xmppside.Waiting, xmppside.CodeSignInRefused, xmppside.TellAdmin, 1},
		{"mechanism-too-weak", xmppside.Waiting, xmppside.CodeSignInRefused, xmppside.TellAdmin, 1},
		{"malformed-request", xmppside.Waiting, xmppside.CodeSignInRefused, xmppside.TellAdmin, 1},
		{"incorrect-encoding", xmppside.Waiting, xmppside.CodeSignInRefused, xmppside.TellAdmin, 1},
		{"encryption-required", xmppside.Waiting, xmppside.CodeSignInRefused, xmppside.TellAdmin, 1},
	} {
		for _, stream := range []string{"close", "open"} {
			t.Run(c.condition+" "+stream, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, setup{config: func(cfg *messengerd.Config) {
						cfg.Switches.SASLFailure = messengerd.SASLFailure{Condition: c.condition, Stream: stream, Always: true}
					}})
					defer w.run()()
					ev := next(w, "the consequence", func(ev xmppside.StateEvent) bool { return ev.Problem != nil && ev.Problem.Action == c.action })
					if _, refused := w.tokens.counts(); ev.State != c.state || ev.Problem.Code != c.code || refused != c.refreshes {
						t.Errorf("%+v, %+v, %d refreshes", ev, ev.Problem, refused)
					}
					if n, conns := w.trace.auths(), len(w.network.Dials()); n != conns {
						t.Errorf("%d sign-ins over %d connections", n, conns)
					}
				})
			})
		}
	}
}

type tokenError struct{ login, settings bool }

func (e tokenError) Error() string       { return "no token" }
func (e tokenError) LoginNeeded() bool   { return e.login }
func (e tokenError) SettingsWrong() bool { return e.settings }

func TestWithoutATokenNothingIsDialled(t *testing.T) {
	for _, c := range []struct {
		err   error
		state xmppside.State
		code  xmppside.Code
	}{
		{fmt.Errorf("refresh: %w", tokenError{login: true}), xmppside.SignedOut, xmppside.CodeTokenMissing},
		{fmt.Errorf("refresh: %w", tokenError{settings: true}), xmppside.Waiting, xmppside.CodeTokenSettings},
		{errors.New("status 500"), xmppside.Waiting, xmppside.CodeTokenAddress},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, setup{})
			w.tokens.set(func() { w.tokens.err = c.err })
			defer w.run()()
			ev := w.problem(c.code)
			if ev.State != c.state || len(w.network.Dials()) != 0 {
				t.Errorf("%+v after dialling %q", ev, w.network.Dials())
			}
			w.tokens.set(func() { w.tokens.err = nil })
			if c.code != xmppside.CodeTokenAddress {
				w.account.Reconnect()
			}
			w.state(xmppside.Online)
		})
	}
}

func TestATokenThatExpiresWithTheStreamIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		w.switches(func(s *messengerd.Switches) { s.TokenLife = messengerd.TokenLife{Life: time.Hour, Stream: "cut"} })
		defer w.signIn()()
		began := time.Now()
		ev := w.problem(xmppside.CodeTokenRefused)
		if ev.Problem.Action != xmppside.Refresh || time.Since(began) < 50*time.Minute {
			t.Errorf("%+v after %v", ev, time.Since(began))
		}
		w.state(xmppside.Online)
		if _, refused := w.tokens.counts(); refused != 1 {
			t.Errorf("%d refreshes", refused)
		}
	})
}

func TestAStreamMayOutliveItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{})
		defer w.signIn()()
		time.Sleep(5 * time.Hour)
		if s := w.account.Session(); s == nil || s.Barrier(t.Context()) != nil {
			t.Error("the session ended")
		}
	})
}

func TestTheTokenIsInNoLogAndNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var mu sync.Mutex
		const secret = "EwBsecretsecret=="
		w := newWorld(t, setup{account: func(c *xmppside.AccountConfig) {
			c.Log = zerolog.New(writerFunc(func(p []byte) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				return log.Write(p)
			}))
		}})
		w.tokens.set(func() { w.tokens.current, w.tokens.next = secret, func() string { return secret } })
		stop := w.run()
		ev := w.state(xmppside.SignedOut)
		stop()
		mu.Lock()
		defer mu.Unlock()
		text := log.String() + fmt.Sprintf("%v %+v %#v", ev.Problem, ev, ev.Problem.Err)
		if !strings.Contains(text, "not-authorized") || strings.Contains(text, "secret") {
			t.Errorf("logged %s", text)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
