package xmppside

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"matrix-messenger/xmppside/session"
)

// Resolver looks up the service's SRV records, like net.Resolver: sorted by priority and randomised by weight.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// DialFunc opens a network connection, like net.Dialer.DialContext: to all addresses of a name, IPv4 and IPv6.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// ServiceOptions are the parts of a Service that are not the service's own.
type ServiceOptions struct {
	// ConnectsPerSecond bounds the connection attempts of all accounts together [200].
	ConnectsPerSecond float64
	// Resolver is the system's if nil, Dial a net.Dialer.
	Resolver Resolver
	Dial     DialFunc
	// Now is the wall clock [time.Now]. It is for certificates' dates and for noticing that the machine slept, never for
	// measuring.
	Now func() time.Time
	Log zerolog.Logger
	// Keys are the names of settings in the operator's file, for texts that name them. One that is missing is named in
	// words.
	Keys map[Setting]string
	// OnReconnect is called for each attempt that follows a failure, with the failure's code.
	OnReconnect func(Code)
}

const (
	defaultConnects = 200
	// srvTimeout is how long SRV records are waited for (messenger-protocol.md 2.4, rule 3).
	srvTimeout = 3 * time.Second
	// dialTimeout is for one target: its addresses, IPv4 and IPv6, and the TCP handshake.
	dialTimeout = 15 * time.Second
	// maxTargets is how many targets of an SRV answer are tried.
	maxTargets = 8
)

// Service is what all accounts of one service share: how it is found, what is trusted, and how often it may be
// connected to. Its methods are for any goroutine.
type Service struct {
	profile Profile
	opts    ServiceOptions
	tls     *tls.Config
	words   *strings.Replacer // fills in texts
	limiter *rate.Limiter     // first come, first served
	lastID  atomic.Uint64

	mu       sync.Mutex
	running  map[*Account]struct{}
	stopWake func() // ends the watch for sleep; nil when it is not running
}

// NewService checks the profile; what is wrong with a setting is a *SettingError. Nothing runs until an account does.
func NewService(p Profile, opts ServiceOptions) (*Service, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if opts.ConnectsPerSecond < 0 {
		return nil, errors.New("the limit of connection attempts is negative")
	}
	if opts.ConnectsPerSecond == 0 {
		opts.ConnectsPerSecond = defaultConnects
	}
	if opts.Resolver == nil {
		opts.Resolver = net.DefaultResolver
	}
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{}).DialContext
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Service{profile: p, opts: opts, running: make(map[*Account]struct{})}
	s.tls = tlsConfig(&s.profile, opts.Now)
	s.words = wording(p.Name, opts.Keys)
	s.limiter = rate.NewLimiter(rate.Limit(opts.ConnectsPerSecond), 1)
	return s, nil
}

// Profile is the service's profile, with defaults filled in.
func (s *Service) Profile() Profile { return s.profile }

// sessionOptions are what a stream of an account needs.
func (s *Service) sessionOptions(resource string, auth session.Authenticator) session.Options {
	return session.Options{
		Domain: s.profile.Domain, Resource: resource, TLS: s.tls, Authenticator: auth,
		Keepalive: s.profile.Keepalive, MaxStanza: s.profile.MaxStanza, MaxInbound: s.profile.MaxInbound,
	}
}

// dial connects to one target, after waiting for its turn.
func (s *Service) dial(ctx context.Context, t target) (net.Conn, error) {
	if err := s.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return s.opts.Dial(ctx, "tcp", t.address())
}
