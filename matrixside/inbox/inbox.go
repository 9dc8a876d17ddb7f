package inbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

// Config sets an [Inbox] up. Zero numbers mean the defaults.
type Config struct {
	Connector *matrix.Connector
	DB        *database.Database
	Log       zerolog.Logger

	// MaxPending is how many events may be waiting before the homeserver is told to come again later. Default: 50,000.
	MaxPending int
	// MaxParallel is how many rooms are handled at the same time. Default: 64.
	MaxParallel int
	// MaxAttempts is how often an event that was left over by an earlier run is tried. Default: 5.
	MaxAttempts int
	// IdleTimeout is how long the worker of a room waits for another event before it ends. Default: one minute.
	IdleTimeout time.Duration

	// KeyWait is how long the key of an encrypted event may be on its way before its sender is asked for it. Default:
	// 3 seconds.
	KeyWait time.Duration
	// AskedKeyWait is how long it is waited for after that, before the event is given up. Default: 22 seconds.
	AskedKeyWait time.Duration

	// OnUnreadable is told of an event that cannot be read, whatever may still come for it, before it counts as
	// handled. It has to see to that the sender learns of it: nobody else does. It may be called again for the same
	// event if the process dies meanwhile, unless a refusal of it is in the outbox. May be nil.
	OnUnreadable func(ctx context.Context, evt *event.Event, why Unreadable, cause error)
	// OnPoisoned is told of an event that was given up, with a reason for the log. May be nil.
	OnPoisoned func(ctx context.Context, evt *event.Event, reason string)
	// OnPresence is told of each presence that the homeserver sends, in order; it should return soon. May be nil.
	OnPresence func(ctx context.Context, user id.UserID, presence event.Presence, status string)
}

const (
	stopGrace  = 10 * time.Second // for handlers to end by themselves
	stopForced = 5 * time.Second  // and after their context was cancelled
)

// Inbox receives transactions and hands their events to bridgev2. Make it with [New], then call Install, Start,
// Ready, Stop in this order.
type Inbox struct {
	cfg Config
	as  *appservice.AppService

	ctx      context.Context // of the handlers; cancelled at the end of Stop
	cancel   context.CancelFunc
	started  atomic.Bool
	leftover int64 // rows up to this number were there at the start
	pending  atomic.Int64

	presence *courier
	rooms    *courier
	keys     *keyWaits

	mu       sync.Mutex
	workers  map[string]*worker // by room; an ended worker is not in it
	isReady  bool
	stopping chan struct{}
	stopped  bool
	slots    chan struct{}
	running  sync.WaitGroup
}

// New makes an inbox. It does nothing yet.
func New(cfg Config) *Inbox {
	setDefault(&cfg.MaxPending, 50_000)
	setDefault(&cfg.MaxParallel, 64)
	setDefault(&cfg.MaxAttempts, 5)
	setDefault(&cfg.IdleTimeout, time.Minute)
	setDefault(&cfg.KeyWait, 3*time.Second)
	setDefault(&cfg.AskedKeyWait, 22*time.Second)
	cfg.Log = cfg.Log.With().Str("component", "matrix inbox").Logger()
	in := &Inbox{
		cfg: cfg, as: cfg.Connector.AS, workers: make(map[string]*worker), stopping: make(chan struct{}),
		slots: make(chan struct{}, cfg.MaxParallel), presence: newCourier(), rooms: newCourier(), keys: newKeyWaits(),
	}
	in.ctx, in.cancel = context.WithCancel(cfg.Log.WithContext(context.Background()))
	return in
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Install puts the inbox before the appservice's router, makes the event processor synchronous, and lets it take what
// the inbox has decrypted. It is called once, after the connector's Init and before its Start.
func (in *Inbox) Install() {
	before := in.as.Router
	router := http.NewServeMux()
	router.HandleFunc("PUT /_matrix/app/v1/transactions/{txnID}", in.putTransaction)
	router.Handle("/", before)
	in.as.Router = router
	processor := in.cfg.Connector.EventProcessor
	processor.ExecMode = appservice.Sync
	processor.ExecSyncWarnTime, processor.ExecSyncTimeout = 0, 0
	if in.cfg.Connector.Crypto != nil {
		in.cfg.Connector.Crypto = readCrypto{in.cfg.Connector.Crypto}
	}
}

// Start looks at what earlier runs left and begins to accept transactions; their events are handled after Ready. The
// tables have to exist.
func (in *Inbox) Start(ctx context.Context) error {
	leftover, err := in.cfg.DB.MatrixInbox.LastSeq(ctx)
	if err != nil {
		return fmt.Errorf("reading the Matrix inbox failed: %w", err)
	}
	depth, err := in.cfg.DB.MatrixInbox.Depth(ctx)
	if err != nil {
		return fmt.Errorf("reading the Matrix inbox failed: %w", err)
	}
	in.leftover = leftover
	in.pending.Store(int64(depth))
	if depth > 0 {
		in.cfg.Log.Info().Int("events", depth).Msg("Events of an earlier run are to be handled")
	}
	in.running.Go(func() { in.presence.run(in.stopping) })
	in.running.Go(func() { in.rooms.run(in.stopping) })
	in.started.Store(true)
	return nil
}

// Ready opens the gate: everything that handlers need has been started.
func (in *Inbox) Ready() {
	in.mu.Lock()
	if in.isReady || in.stopped {
		in.mu.Unlock()
		return
	}
	in.isReady = true
	in.mu.Unlock()
	in.running.Go(in.wakeAll)
}

// wakeAll starts a worker for each room with pending events.
func (in *Inbox) wakeAll() {
	var rooms []string
	if !in.persist("read the rooms with pending events", func(ctx context.Context) (err error) {
		rooms, err = in.cfg.DB.MatrixInbox.RoomsPending(ctx)
		return err
	}) {
		return
	}
	for _, room := range rooms {
		in.wake(room)
	}
}

// Pending tells how many events wait for being handled.
func (in *Inbox) Pending() int {
	return int(max(0, in.pending.Load())) // events of a lost commit are handled without having been counted
}

// Stop ends the handling after the events that are being handled, waiting some seconds for them. What is pending
// stays in the table; transactions are answered with 503 from now on.
func (in *Inbox) Stop() {
	in.mu.Lock()
	if !in.stopped {
		in.stopped = true
		close(in.stopping)
	}
	in.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		in.running.Wait()
		close(ended)
	}()
	if !within(ended, stopGrace) {
		in.cancel()
		if !within(ended, stopForced) {
			in.cfg.Log.Warn().Msg("An event handler does not end; its event will be handled again at the next start")
		}
	}
	in.cancel()
}

func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func (in *Inbox) isStopping() bool {
	select {
	case <-in.stopping:
		return true
	default:
		return false
	}
}

var errNotAccepting = errors.New("the bridge is not accepting events at the moment")
