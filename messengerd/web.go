package messengerd

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"matrix-messenger/messengerd/oauthserver"
)

// webServer is one HTTP listener and the goroutine that serves it.
type webServer struct {
	http *http.Server
}

// close ends the listener and every request at once: they are answered from
// memory, only long polls are open, and those end with the server's context.
func (w *webServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if w.http.Shutdown(ctx) != nil {
		_ = w.http.Close()
	}
}

// startWeb starts the sign-in pages and the control interface, where configured.
func (s *Server) startWeb(ctx context.Context) error {
	if s.cfg.OAuth.Listen != "" {
		handler, err := oauthserver.New(oauthserver.Config{
			Clients: []oauthserver.Client{{ID: s.cfg.OAuth.ClientID, Secret: s.cfg.OAuth.ClientSecret, Redirects: s.cfg.OAuth.RedirectURLs}},
		}, oauthAccounts{s}, s.tokens, oauthserver.WithClock(s.now), oauthserver.WithLogger(s.log))
		if err != nil {
			return fmt.Errorf("oauth: %w", err)
		}
		s.mu.Lock()
		s.oauth = handler
		s.mu.Unlock()
		s.applyOAuthSwitches(s.sw())
		at, err := s.serveHTTP(ctx, "oauth", s.cfg.OAuth.Listen, handler)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.oauthAt = at
		s.mu.Unlock()
	}
	if s.cfg.Control.Listen != "" {
		at, err := s.serveHTTP(ctx, "control", s.cfg.Control.Listen, s.controlHandler())
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.controlAt = at
		s.mu.Unlock()
	}
	return nil
}

// serveHTTP listens and serves; the result is the base address.
func (s *Server) serveHTTP(ctx context.Context, what, address string, h http.Handler) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("cannot listen for %s: %w", what, err)
	}
	w := &webServer{http: &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		WriteTimeout: longestPoll + 30*time.Second, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return s.ctx },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}}
	s.mu.Lock()
	s.web = append(s.web, w)
	s.wg.Go(func() {
		if err := w.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP ended", "what", what, "err", err)
		}
	})
	s.mu.Unlock()
	return "http://" + l.Addr().String(), nil
}

// OAuthURL is the base address of the sign-in pages, empty when they are off.
func (s *Server) OAuthURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oauthAt
}

// ControlURL is the base address of the control interface, empty when it is off.
func (s *Server) ControlURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.controlAt
}

// OAuth is the server of the sign-in pages, nil when they are off.
func (s *Server) OAuth() *oauthserver.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oauth
}

var (
	expiresInOf = map[string]oauthserver.ExpiresIn{
		"number": oauthserver.ExpiresInNumber, "string": oauthserver.ExpiresInString, "absent": oauthserver.ExpiresInAbsent,
	}
	refreshTokenOf = map[string]oauthserver.RefreshToken{
		"replaced": oauthserver.RefreshReplaced, "kept": oauthserver.RefreshKept,
		"expired": oauthserver.RefreshExpired, "not_issued": oauthserver.RefreshNotIssued,
	}
	tokenAddressOf = map[string]oauthserver.TokenAddress{
		"works": oauthserver.TokenWorks, "status_429": oauthserver.TokenBusy, "status_500": oauthserver.TokenBroken,
		"not_json": oauthserver.TokenNotJSON, "get_only": oauthserver.TokenGETOnly, "post_only": oauthserver.TokenPOSTOnly,
	}
)

// applyOAuthSwitches hands the sign-in server its switches.
func (s *Server) applyOAuthSwitches(sw *Switches) {
	o := s.OAuth()
	if o == nil {
		return
	}
	theirs := o.Switches()
	theirs.ExpiresIn = expiresInOf[sw.ExpiresIn]
	theirs.RefreshToken = refreshTokenOf[sw.RefreshToken]
	theirs.TokenAddress = tokenAddressOf[sw.TokenAddress]
	theirs.TokenLife = sw.TokenLife.Life
	if err := o.SetSwitches(theirs); err != nil {
		s.log.Error("the sign-in server refused its switches", "err", err)
	}
}

// oauthAccounts are the accounts as the sign-in pages see them.
type oauthAccounts struct{ srv *Server }

// Authenticate checks an e-mail address and a password.
func (o oauthAccounts) Authenticate(email, password string) (accountID string, ok bool) {
	a := o.srv.byMailOnly(email)
	if a == nil || a.cfg.Password == "" || subtle.ConstantTimeCompare([]byte(a.cfg.Password), []byte(password)) != 1 {
		return "", false
	}
	return a.jid, true
}

// Profile gives what the profile address tells: CID, e-mail address and name.
func (o oauthAccounts) Profile(accountID string) (cid, email, name string) {
	a := o.srv.Account(accountID)
	if a == nil {
		return "", "", ""
	}
	cid, _, _ = strings.Cut(a.jid, "@")
	if len(cid) != 16 {
		cid = localpart(a.cfg.Email+a.jid, "hex16")
	}
	return cid, a.cfg.Email, a.Name()
}
