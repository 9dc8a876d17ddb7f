package messengerd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"matrix-messenger/messengerd/oauthserver"
	"matrix-messenger/messengerd/tokens"
)

// Server is the service. Make one with [New], then [Server.Start] it once.
type Server struct {
	cfg         *Config
	domain      string
	log         *slog.Logger
	now         func() time.Time
	trace       func(TraceEvent)
	given       net.Listener
	negotiation time.Duration

	tokens   *tokens.Store
	certs    *certificates
	tls      *tls.Config
	switches atomic.Pointer[Switches]
	changing sync.Mutex // one SetSwitches at a time

	people sync.RWMutex // guards the three maps below, not what is in the accounts
	byJID  map[string]*Account
	byMail map[string]*Account
	order  []*Account

	mu        sync.Mutex // guards what follows
	sessions  map[*session]struct{}
	hops      []net.Listener // hops[0] is the first listener
	web       []*webServer
	oauth     *oauthserver.Server
	oauthAt   string
	controlAt string
	started   bool
	closing   bool

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	wg        sync.WaitGroup // every goroutine of the server
	numbers   atomic.Uint64  // session numbers
	ids       atomic.Uint64  // stanza IDs
	selfCount atomic.Uint64  // logins seen by redirects to the server itself
	keeper    *keeper        // state file, nil without
}

// New makes a server from a configuration; it does not listen yet.
func New(cfg *Config, opts ...Option) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	certs, err := newCertificates(cfg.Certificate, strings.ToLower(cfg.Domain))
	if err != nil {
		return nil, err
	}
	return newServer(cfg, certs, opts...)
}

func newServer(cfg *Config, certs *certificates, opts ...Option) (*Server, error) {
	s := &Server{
		cfg: cfg, domain: strings.ToLower(cfg.Domain), log: slog.New(slog.DiscardHandler), now: time.Now,
		negotiation: NegotiationTimeout, certs: certs,
		byJID: map[string]*Account{}, byMail: map[string]*Account{}, sessions: map[*session]struct{}{},
	}
	for _, o := range opts {
		o(s)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	sw := cfg.Switches
	s.switches.Store(&sw)
	s.tokens = tokens.New(tokens.Options{Life: sw.TokenLife.Life, Shape: shapeOf(sw.IssuedTokens), Now: s.now})
	s.tls = &tls.Config{
		MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.certs.kinds[s.sw().Certificate], nil
		},
	}
	for i := range cfg.Accounts {
		if _, err := s.addAccount(cfg.Accounts[i]); err != nil {
			return nil, fmt.Errorf("accounts[%d]: %w", i, err)
		}
	}
	for i := range cfg.Accounts {
		if err := s.linkContacts(&cfg.Accounts[i]); err != nil {
			return nil, fmt.Errorf("accounts[%d].%w", i, err)
		}
	}
	for i, t := range cfg.Tokens {
		a := s.Account(t.Account)
		if a == nil {
			return nil, fmt.Errorf("tokens[%d].account: there is no account %q", i, t.Account)
		}
		life := t.Life
		if life == 0 {
			life = 10 * 365 * 24 * time.Hour
		}
		s.tokens.Add(t.Token, a.jid, s.now().Add(life))
	}
	if cfg.State != "" {
		var err error
		if s.keeper, err = openState(s, cfg.State); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Start listens and serves in the background until [Server.Close]. The context
// only bounds the start itself.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	if s.started || s.closing {
		s.mu.Unlock()
		return errors.New("the server was started before")
	}
	s.started = true
	s.mu.Unlock()
	l := s.given
	if l == nil {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen); err != nil {
			return fmt.Errorf("cannot listen for XMPP: %w", err)
		}
	}
	s.mu.Lock()
	s.hops = append(s.hops, l)
	s.mu.Unlock()
	s.wg.Go(func() { s.accept(l, 0) })
	if err := s.startWeb(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	s.wg.Go(s.sweepLoop)
	if s.keeper != nil {
		s.wg.Go(s.keeper.run)
	}
	for _, a := range s.accounts() {
		s.startBehaviour(a)
	}
	s.log.Info("serving", "xmpp", s.Addr(), "oauth", s.OAuthURL(), "control", s.ControlURL())
	return nil
}

// Addr is host:port of the XMPP listener, empty before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.hops) == 0 {
		return ""
	}
	return s.hops[0].Addr().String()
}

// CAPEM is the certificate of the authority that signs the server's, for clients to trust.
func (s *Server) CAPEM() []byte { return s.certs.ca.pem }

// Tokens is the store of access tokens.
func (s *Server) Tokens() *tokens.Store { return s.tokens }

// IssueToken makes an access token for an account (e-mail or JID); it is empty
// when there is no such account.
func (s *Server) IssueToken(accountID string) string {
	a := s.Account(accountID)
	if a == nil {
		return ""
	}
	return s.tokens.Issue(a.jid).Value
}

// Switches is a copy of the switches as they are.
func (s *Server) Switches() Switches { return *s.sw() }

func (s *Server) sw() *Switches { return s.switches.Load() }

// SetSwitches changes switches while the service runs; sessions follow with
// their next stanza. A change to a value that does not exist changes nothing
// and is reported.
func (s *Server) SetSwitches(change func(*Switches)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	sw := *s.sw()
	change(&sw)
	if err := sw.Validate(); err != nil {
		return err
	}
	s.switches.Store(&sw)
	s.tokens.SetLife(sw.TokenLife.Life)
	s.tokens.SetShape(shapeOf(sw.IssuedTokens))
	s.applyOAuthSwitches(&sw)
	return nil
}

func shapeOf(value string) tokens.Shape {
	shape, err := tokens.ParseShape(value)
	if err != nil {
		return tokens.Canonical // Validate has refused every other value
	}
	return shape
}

// accept serves one listener; hop is its place in a chain of redirects.
func (s *Server) accept(l net.Listener, hop int) {
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.ctx.Err() != nil {
				return
			}
			s.log.Warn("cannot accept a connection", "err", err)
			select { // out of file descriptors, most likely: others will end
			case <-time.After(50 * time.Millisecond):
			case <-s.ctx.Done():
				return
			}
			continue
		}
		ses := newSession(s, c, hop)
		s.mu.Lock()
		if s.closing {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.sessions[ses] = struct{}{}
		s.wg.Go(ses.run)
		s.mu.Unlock()
	}
}

// Close ends every stream with system-shutdown, waits for all goroutines and
// writes the state file. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		s.wg.Wait()
		return nil
	}
	s.closing = true
	hops, web, started := s.hops, s.web, s.started
	s.mu.Unlock()
	if !started && s.given != nil {
		_ = s.given.Close()
	}
	s.cancel()
	for _, l := range hops {
		_ = l.Close()
	}
	for _, w := range web {
		w.close()
	}
	for _, ses := range s.allSessions() {
		ses.endWithError("system-shutdown", "The service is shutting down.")
	}
	// Clients that neither read nor close are cut.
	cut := time.AfterFunc(closeGrace, func() {
		for _, ses := range s.allSessions() {
			ses.cut()
		}
	})
	s.wg.Wait()
	cut.Stop()
	if s.keeper != nil {
		return s.keeper.save()
	}
	return nil
}

// closeGrace is how long clients may take to read the end of their stream.
const closeGrace = 3 * time.Second

func (s *Server) allSessions() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(s.sessions))
	for ses := range s.sessions {
		all = append(all, ses)
	}
	return all
}

func (s *Server) forget(ses *session) {
	s.mu.Lock()
	delete(s.sessions, ses)
	s.mu.Unlock()
}
