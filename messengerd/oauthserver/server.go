package oauthserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"matrix-messenger/messengerd/tokens"
)

// Accounts are the people who can sign in.
type Accounts interface {
	// Authenticate checks an e-mail address and a password and gives the
	// account's ID, the one that the token store knows.
	Authenticate(email, password string) (accountID string, ok bool)
	// Profile describes an account: its CID (16 hexadecimal digits), e-mail
	// address and display name.
	Profile(accountID string) (cid, email, name string)
}

// Client is one registered application.
type Client struct {
	// ID is the client ID, 16 hexadecimal digits in Microsoft's service.
	ID string `json:"id" yaml:"id"`
	// Secret is empty for a mobile or desktop application.
	Secret string `json:"secret" yaml:"secret"`
	// Name is shown on the consent page.
	Name string `json:"name" yaml:"name"`
	// Redirects are the addresses that the user may be sent back to: a whole
	// address, or "https://host" for every address there (section 4.2,
	// "within their registered domain"). The desktop addresses of this server
	// and of Microsoft's are always allowed.
	Redirects []string `json:"redirects" yaml:"redirects"`
	// Forbidden are grant types ("authorization_code", "refresh_token") and
	// response types ("code", "token") that give unauthorized_client.
	Forbidden []string `json:"forbidden" yaml:"forbidden"`
}

// Config is what a server needs to know.
type Config struct {
	// Clients are the registered applications.
	Clients []Client
	// Service is the name that the pages show, "Messenger" when empty.
	Service string
	// CodeLife is how long a code works, ten minutes when zero (RFC 6749, 4.1.2).
	CodeLife time.Duration
	// MaxGrants bounds the consents and, separately, the codes that are kept;
	// 100,000 when zero. Those unused for longest go first.
	MaxGrants int
}

// Option changes a server that New makes.
type Option func(*Server)

// WithClock sets the clock; it should be the token store's.
func WithClock(now func() time.Time) Option { return func(s *Server) { s.now = now } }

// WithLogger sets where requests are logged, without their secrets.
func WithLogger(log *slog.Logger) Option { return func(s *Server) { s.log = log } }

// Server is the sign-in server, an http.Handler. Make one with New.
type Server struct {
	clients  map[string]Client
	service  string
	accounts Accounts
	tokens   *tokens.Store
	grants   *grants
	now      func() time.Time
	log      *slog.Logger
	mux      *http.ServeMux
	signKey  []byte // signs authentication tokens

	mu       sync.Mutex
	switches Switches
}

// New makes a server whose access tokens go into the given store.
func New(c Config, accounts Accounts, store *tokens.Store, options ...Option) (*Server, error) {
	if accounts == nil || store == nil {
		return nil, errors.New("oauth server: accounts and a token store are needed")
	}
	s := &Server{
		clients:  make(map[string]Client),
		service:  c.Service,
		accounts: accounts,
		tokens:   store,
		now:      time.Now,
		log:      slog.New(slog.DiscardHandler),
		signKey:  randomBytes(32),
	}
	for _, client := range c.Clients {
		if client.ID == "" {
			return nil, errors.New("oauth server: a client without an id")
		}
		if _, twice := s.clients[client.ID]; twice {
			return nil, fmt.Errorf("oauth server: client %s is configured twice", client.ID)
		}
		for _, address := range client.Redirects {
			if u, err := url.Parse(address); err != nil || !u.IsAbs() || u.Host == "" {
				return nil, fmt.Errorf("oauth server: client %s: the redirect %q is not an absolute address", client.ID, address)
			}
		}
		s.clients[client.ID] = client
	}
	if s.service == "" {
		s.service = "Messenger"
	}
	for _, option := range options {
		option(s)
	}
	s.switches, _ = Switches{}.withDefaults()
	s.grants = newGrants(c.CodeLife, c.MaxGrants, s.now, store)
	s.mux = s.routes()
	return s, nil
}

// routes are the addresses of both columns of section 4.1.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range []string{"/oauth20_authorize.srf", "/authorize"} {
		mux.HandleFunc("GET "+path, s.showAuthorize)
		mux.HandleFunc("POST "+path, s.answerAuthorize)
	}
	for _, path := range []string{"/oauth20_token.srf", "/token"} {
		mux.HandleFunc(path, s.serveToken)
	}
	for _, path := range []string{"/oauth20_revoke.srf", "/revoke"} {
		mux.HandleFunc(path, s.serveRevoke)
	}
	for _, path := range desktopPaths {
		mux.HandleFunc("GET "+path, s.showDesktop)
	}
	mux.HandleFunc("GET /oauth20_logout.srf", s.serveLogout)
	mux.HandleFunc("GET /v5.0/me", s.serveProfile)
	return mux
}

// maxBody is far more than any honest request to these addresses.
const maxBody = 64 << 10

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

// Switches gives the switches as they are now.
func (s *Server) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}

// SetSwitches replaces all switches, from the next request on.
func (s *Server) SetSwitches(sw Switches) error {
	sw, err := sw.withDefaults()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = sw
	if sw.TokenLife > 0 {
		s.tokens.SetLife(sw.TokenLife)
	}
	return nil
}

// RevokeAccount ends every consent of an account with all its tokens, as when
// its owner withdraws them.
func (s *Server) RevokeAccount(accountID string) {
	s.grants.revokeAccount(accountID)
	s.tokens.RevokeAccount(accountID)
}

var desktopPaths = []string{"/oauth20_desktop.srf", "/desktop"}

// allowsRedirect says whether a client may have its users sent to an address.
func (s *Server) allowsRedirect(c Client, r *http.Request, address string) bool {
	u, err := url.Parse(address)
	if err != nil || !u.IsAbs() || u.Host == "" || u.Fragment != "" || u.User != nil {
		return false
	}
	if slices.Contains(c.Redirects, address) {
		return true
	}
	for _, allowed := range c.Redirects {
		a, err := url.Parse(allowed)
		if err == nil && strings.Trim(a.Path, "/") == "" && a.Scheme == u.Scheme && strings.EqualFold(a.Host, u.Host) {
			return true
		}
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	ours := strings.EqualFold(u.Host, r.Host) || strings.EqualFold(u.Host, "login.live.com") || strings.EqualFold(u.Host, "oauth.live.com")
	return ours && slices.Contains(desktopPaths, u.Path) && u.RawQuery == ""
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: it ends the program instead
	return b
}
