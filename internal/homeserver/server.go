package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/freeport"
)

// Options set a homeserver up. The zero value is a homeserver for the domain "example.org" on a free loopback port.
type Options struct {
	// Domain is the server name in user and room IDs. Default: example.org.
	Domain string
	// Listen is the TCP address. Default: 127.0.0.1:0.
	Listen string
	// Versions are the spec versions told at /versions. Default: v1.1 to v1.11.
	Versions []string
	// UnstableFeatures are told at /versions.
	UnstableFeatures map[string]bool
	// UploadLimit is the largest upload in bytes. Default: 50 MiB.
	UploadLimit int64
	// PushRetry is the first wait before a transaction is repeated; it doubles up to PushRetryMax. Defaults: 20ms, 1s.
	PushRetry, PushRetryMax time.Duration
	// PushTimeout bounds one transaction request. Default: 60s.
	PushTimeout time.Duration
	// PushBatch is the most events in one transaction. Default: 100.
	PushBatch int
	// RecordLimit is how many requests are remembered; older ones are only counted. Default: 50000.
	RecordLimit int
	// RecordNoBodies leaves request bodies out of the record (benchmarks).
	RecordNoBodies bool
	// Clock gives origin_server_ts. Default: time.Now.
	Clock func() time.Time
}

func (o Options) withDefaults() Options {
	setDefault(&o.Domain, "example.org")
	setDefault(&o.Listen, "127.0.0.1:0")
	setDefault(&o.UploadLimit, 50<<20)
	setDefault(&o.PushRetry, 20*time.Millisecond)
	setDefault(&o.PushRetryMax, time.Second)
	setDefault(&o.PushTimeout, time.Minute)
	setDefault(&o.PushBatch, 100)
	setDefault(&o.RecordLimit, 50_000)
	if o.Versions == nil {
		for minor := 1; minor <= 11; minor++ {
			o.Versions = append(o.Versions, fmt.Sprintf("v1.%d", minor))
		}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server is a homeserver. Make it with New; Close ends it.
type Server struct {
	opts        Options
	addr        string
	handler     http.Handler
	eventPrefix string

	mu          sync.Mutex
	changed     chan struct{} // closed and replaced at every change; nil while nobody waits
	counter     uint64
	rooms       map[id.RoomID]*room
	roomOrder   []id.RoomID
	aliases     map[id.RoomAlias]id.RoomID
	accounts    map[id.UserID]bool
	tokens      map[string]id.UserID
	profiles    map[id.UserID]map[string]string
	presence    map[id.UserID]Presence
	accountData map[accountDataKey]json.RawMessage
	txns        map[txnKey]txnResult
	media       map[string]*Media
	keys        keyStore
	appservices map[string]*Appservice // by as_token
	users       map[id.UserID]*User
	faults      []*Fault
	record      recorder
	down        bool

	running *http.Server
	served  chan struct{} // closed when running has ended
	ended   chan struct{} // closed when running is to end
}

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start makes a homeserver that is closed at the end of the test.
func Start(t TB, opts Options) *Server {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatalf("homeserver: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// New makes a homeserver and listens.
func New(opts Options) (*Server, error) {
	s := &Server{
		opts: opts.withDefaults(), rooms: make(map[id.RoomID]*room), aliases: make(map[id.RoomAlias]id.RoomID),
		accounts: make(map[id.UserID]bool), tokens: make(map[string]id.UserID), profiles: make(map[id.UserID]map[string]string),
		presence: make(map[id.UserID]Presence), accountData: make(map[accountDataKey]json.RawMessage),
		txns: make(map[txnKey]txnResult), media: make(map[string]*Media), keys: newKeyStore(),
		appservices: make(map[string]*Appservice), users: make(map[id.UserID]*User),
		record: recorder{counts: make(map[string]int)}, eventPrefix: "event",
	}
	s.addr = s.opts.Listen
	s.handler = s.routes()
	if err := s.listen(); err != nil {
		return nil, err
	}
	return s, nil
}

// listen opens the port (the same one again after Down) and serves in the background.
func (s *Server) listen() error {
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.addr, err)
	}
	s.addr = listener.Addr().String()
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 30 * time.Second}
	served := make(chan struct{})
	s.mu.Lock()
	s.running, s.served, s.ended = server, served, make(chan struct{})
	s.mu.Unlock()
	go func() {
		defer close(served)
		_ = server.Serve(listener) // always http.ErrServerClosed: Down and Close end it
	}()
	return nil
}

// URL is the address a bridge uses as homeserver.address.
func (s *Server) URL() string { return "http://" + s.addr }

// Domain is the server name.
func (s *Server) Domain() string { return s.opts.Domain }

// Down takes the homeserver off the network: connections are cut and refused, and nothing is pushed. State is kept.
func (s *Server) Down() {
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		return
	}
	s.down = true
	running, served := s.running, s.served
	for _, as := range s.appservices {
		as.cancelPush()
	}
	close(s.ended)
	s.releaseBlocked()
	s.notify()
	s.mu.Unlock()
	_ = running.Close()
	<-served
}

// upTimeout bounds how long the homeserver waits for its port when somebody has got it meanwhile.
const upTimeout = 30 * time.Second

// Up brings the homeserver back on the same address. What was not acknowledged is pushed again under the same IDs.
func (s *Server) Up() error {
	s.mu.Lock()
	wasDown := s.down
	s.mu.Unlock()
	if !wasDown {
		return nil
	}
	if err := freeport.Retry(upTimeout, s.listen); err != nil {
		return err
	}
	s.mu.Lock()
	s.down = false
	s.notify()
	s.mu.Unlock()
	return nil
}

// Restart is Down, ForgetTransactions and Up: what a homeserver that keeps its transaction cache in memory does.
func (s *Server) Restart() error {
	s.Down()
	s.ForgetTransactions()
	return s.Up()
}

// ForgetTransactions empties the transaction ID cache: a repeated send becomes a second event.
func (s *Server) ForgetTransactions() {
	s.mu.Lock()
	clear(s.txns)
	s.mu.Unlock()
}

// Close ends the homeserver and waits for everything it started.
func (s *Server) Close() {
	s.Down()
	s.mu.Lock()
	var pushers []*Appservice
	for _, as := range s.appservices {
		pushers = append(pushers, as)
	}
	s.mu.Unlock()
	for _, as := range pushers {
		as.stop()
	}
}

// nextID numbers rooms and events. The caller holds the mutex.
func (s *Server) nextID() uint64 {
	s.counter++
	return s.counter
}

// notify wakes everyone in wait. The caller holds the mutex.
func (s *Server) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// wait calls ready, under the mutex, now and after every change until it returns true or the context ends.
func (s *Server) wait(ctx context.Context, what string, ready func() bool) error {
	for {
		s.mu.Lock()
		if ready() {
			s.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("homeserver: waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}

// ErrUnknownRoom is returned for a room the homeserver does not have.
var ErrUnknownRoom = errors.New("homeserver: no such room")
