package xmppside_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/internal/memnet"
	"matrix-messenger/xmppside/messenger"
)

const (
	john = "john@contoso.com"
	ann  = "ann@contoso.com"
)

// world is a Messenger service inside the process, and one account that is to be signed in to it. Inside a synctest
// bubble its time is the bubble's.
type world struct {
	t       *testing.T
	server  *messengerd.Server
	network *memnet.Network
	door    *memnet.Listener // the service's, nil with realPorts
	srv     *fakeSRV
	service *xmppside.Service
	account *xmppside.Account
	events  *recorder
	tokens  *tokenSource
	trace   *trace
}

type setup struct {
	config    func(*messengerd.Config)
	profile   func(*messenger.Options)
	options   func(*xmppside.ServiceOptions)
	account   func(*xmppside.AccountConfig)
	realPorts bool // loopback instead of memory
}

const entry = "xmpp.messenger.live.com:5222"

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	w := &world{t: t, network: memnet.New(), srv: new(fakeSRV), events: newRecorder(), trace: new(trace)}
	cfg := messengerd.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Switches.RedirectStage = "none"
	cfg.Accounts = []messengerd.AccountConfig{
		{Email: ann, Name: "Ann", Contact: true},
		{Email: john, Name: "John", Contacts: []messengerd.ContactConfig{{Account: ann, Subscription: "both"}}},
	}
	if s.config != nil {
		s.config(cfg)
	}
	opts := []messengerd.Option{messengerd.WithTrace(w.trace.add)}
	if !s.realPorts {
		w.door = w.network.Listen(entry)
		opts = append(opts, messengerd.WithListener(w.door))
	}
	server, err := messengerd.New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.server = server
	po := messenger.Options{Roots: authorities(server.CAPEM())}
	if s.realPorts {
		po.Address = server.Addr()
	}
	if s.profile != nil {
		s.profile(&po)
	}
	profile, err := messenger.NewProfile(po)
	if err != nil {
		t.Fatal(err)
	}
	so := xmppside.ServiceOptions{Resolver: w.srv, Log: zerolog.Nop()}
	if !s.realPorts {
		so.Dial = w.network.Dial
	}
	if s.options != nil {
		s.options(&so)
	}
	if w.service, err = xmppside.NewService(profile, so); err != nil {
		t.Fatal(err)
	}
	w.tokens = &tokenSource{current: server.IssueToken(john), next: func() string { return server.IssueToken(john) }}
	ac := xmppside.AccountConfig{Service: w.service, Resource: "bridge", Tokens: w.tokens, Handler: w.events, Log: zerolog.Nop()}
	if s.account != nil {
		s.account(&ac)
	}
	w.account = xmppside.NewAccount(ac)
	return w
}

// authorities are the certificate authorities of a PEM text.
func authorities(pem []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// run starts the account; everything has ended when stop returns.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { w.account.Run(ctx) })
	return func() {
		cancel()
		ended.Wait()
		if err := w.server.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// signIn runs the account and waits until it is online.
func (w *world) signIn() (stop func()) {
	w.t.Helper()
	stop = w.run()
	w.state(xmppside.Online)
	return stop
}

// state waits for a state.
func (w *world) state(want xmppside.State) xmppside.StateEvent {
	w.t.Helper()
	return next(w, fmt.Sprintf("state %q", want), func(ev xmppside.StateEvent) bool { return ev.State == want })
}

// problem waits for a state that holds a problem with this code.
func (w *world) problem(code xmppside.Code) xmppside.StateEvent {
	w.t.Helper()
	return next(w, fmt.Sprintf("problem %q", code), func(ev xmppside.StateEvent) bool {
		return ev.State != xmppside.Connecting && ev.Problem != nil && ev.Problem.Code == code
	})
}

// next waits for the next event of a type that fits, passing over all others.
func next[E xmppside.Event](w *world, what string, fits func(E) bool) E {
	w.t.Helper()
	// In a bubble this is fake time, more than any back-off; outside of one it is a safety net.
	patience := 3 * time.Hour
	if time.Now().Year() > 2020 {
		patience = 30 * time.Second
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case ev := <-w.events.list:
			if e, ok := ev.(E); ok && fits(e) {
				return e
			}
		case <-timeout.C:
			w.t.Fatalf("waited in vain for %s; the account is %+v", what, w.account.State())
		}
	}
}

func anyOf[E xmppside.Event](E) bool { return true }

// recorder is a Handler that keeps what it gets, and can refuse it.
type recorder struct {
	list   chan xmppside.Event
	busy   atomic.Bool
	mu     sync.Mutex
	refuse func(xmppside.Event) error
}

func newRecorder() *recorder { return &recorder{list: make(chan xmppside.Event, 20000)} }

func (r *recorder) Handle(_ context.Context, ev xmppside.Event) error {
	if !r.busy.CompareAndSwap(false, true) {
		panic("the handler was called by two goroutines at once")
	}
	defer r.busy.Store(false)
	r.mu.Lock()
	refuse := r.refuse
	r.mu.Unlock()
	if refuse != nil {
		if err := refuse(ev); err != nil {
			return err
		}
	}
	select {
	case r.list <- ev:
		return nil
	default:
		return errors.New("the test does not look at its events")
	}
}

func (r *recorder) setRefuse(f func(xmppside.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = f
}

// tokenSource gives tokens as the keeper of tokens would.
type tokenSource struct {
	mu      sync.Mutex
	current string
	next    func() string
	refused []string
	err     error
	asked   int
}

func (s *tokenSource) Token(_ context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.err != nil {
		return "", s.err
	}
	if refused != "" {
		s.refused = append(s.refused, refused)
		s.current = s.next()
	}
	return s.current, nil
}

func (s *tokenSource) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *tokenSource) counts() (asked, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, len(s.refused)
}

// fakeSRV answers SRV questions from a table; a name that is not in it has none.
type fakeSRV struct {
	mu      sync.Mutex
	records map[string][]*net.SRV
	silent  map[string]bool
	asked   []string
}

func (f *fakeSRV) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	f.mu.Lock()
	f.asked = append(f.asked, "_"+service+"._"+proto+"."+name)
	records, silent := f.records[name], f.silent[name]
	f.mu.Unlock()
	if silent {
		<-ctx.Done()
		return "", nil, ctx.Err()
	}
	if records == nil {
		return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return name, records, nil
}

// trace keeps what passed over the wire.
type trace struct {
	mu   sync.Mutex
	list []messengerd.TraceEvent
}

func (tr *trace) add(ev messengerd.TraceEvent) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.list = append(tr.list, ev)
}

// sent lists what clients sent, as XML.
func (tr *trace) sent(fits func(string) bool) []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var list []string
	for _, ev := range tr.list {
		if ev.FromC && fits(ev.XML) {
			list = append(list, ev.XML)
		}
	}
	return list
}

// switches changes how the service behaves.
func (w *world) switches(change func(*messengerd.Switches)) {
	w.t.Helper()
	if err := w.server.SetSwitches(change); err != nil {
		w.t.Fatal(err)
	}
}

// auths counts how often a sign-in was sent.
func (tr *trace) auths() int {
	return len(tr.sent(func(x string) bool { return strings.HasPrefix(x, "<auth") }))
}

// discard is a Handler that takes everything.
type discard struct{}

func (discard) Handle(context.Context, xmppside.Event) error { return nil }
