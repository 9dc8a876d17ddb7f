package xmppside

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"matrix-messenger/xmppside/presence"
	"matrix-messenger/xmppside/session"
)

// TokenSource gives the access token of one account.
type TokenSource interface {
	// Token gives a token that is good for some minutes more, getting a new one where needed. refused is the token that
	// the service has just refused, empty for none. An error with a method LoginNeeded() bool that returns true means
	// that only the user can get a new one; one with SettingsWrong() bool, that only the administrator can; any other is
	// tried again.
	Token(ctx context.Context, refused string) (string, error)
}

// Presence is what the user's contacts are to see. The zero value is "available".
type Presence struct {
	Show   presence.Show
	Status string
	// Invisible shows the user as offline while the session stays.
	Invisible bool
}

func (p Presence) stanza() []byte {
	return presence.Append(nil, presence.State{Available: !p.Invisible, Show: p.Show, Status: p.Status})
}

// AccountConfig is what an account needs.
type AccountConfig struct {
	Service *Service
	// Resource is asked for at bind.
	Resource string
	// LastHost is the Host of the last SignedIn event, empty for none; it is tried first.
	LastHost string
	// Presence is shown from the first sign-in on.
	Presence Presence
	Tokens   TokenSource
	Handler  Handler
	Log      zerolog.Logger
}

// Account is one person's account at the service. Its methods may be called from any goroutine.
type Account struct {
	cfg     AccountConfig
	service *Service
	kick    chan struct{} // Reconnect
	hurry   chan struct{} // the machine has slept

	mu       sync.Mutex
	cancel   context.CancelFunc // ends Run
	stopped  bool
	state    StateEvent
	stream   *session.Stream // from bind to the end
	session  *Session        // from the initial presence to the end
	presence Presence        // desired
	shown    Presence        // last given to the session

	// What follows belongs to the goroutine of Run.
	history    history
	failures   int // since the account was last stable
	token      string
	refused    string
	refusals   int // tokens refused one after the other
	lastHost   string
	noResource bool
	problem    *Problem
}

// NewAccount makes an account; Run brings it to life.
func NewAccount(cfg AccountConfig) *Account {
	return &Account{
		cfg: cfg, service: cfg.Service, presence: cfg.Presence, lastHost: cfg.LastHost,
		kick: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		state: StateEvent{State: Stopped, Since: time.Now()},
	}
}

// State is where the account stands; the Handler has been or is being told the same.
func (a *Account) State() StateEvent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// Session is the signed-in session, nil unless the roster has been fetched and the initial presence given to it.
func (a *Account) Session() *Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session
}

// Reconnect starts over now: it ends a session in order, or the wait for the next attempt, and forgets what failed
// before. It is how an account goes on after a new sign-in.
func (a *Account) Reconnect() {
	signal(a.kick)
	a.mu.Lock()
	stream := a.stream
	a.mu.Unlock()
	if stream != nil {
		stream.Close()
	}
}

// Stop makes Run end in order. It does not wait for it.
func (a *Account) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	if a.cancel != nil {
		a.cancel()
	}
}

// SetPresence says what contacts are to see from now on. It is sent when it differs from what they see, and after each
// sign-in.
func (a *Account) SetPresence(p Presence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.presence = p
	if a.session == nil || p == a.shown {
		return
	}
	if err := a.session.stream.Replace(p.stanza()); err == nil {
		a.shown = p
	}
}

// wake is called when the machine has slept: a session must prove that it lives, a wait is over.
func (a *Account) wake() {
	a.mu.Lock()
	stream := a.stream
	a.mu.Unlock()
	if stream != nil {
		stream.Nudge()
		return
	}
	signal(a.hurry)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func drain(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// setState changes the state and tells the Handler. Only for the goroutine of Run.
func (a *Account) setState(ctx context.Context, ev StateEvent) error {
	ev.Since = time.Now()
	if ev.Attempt == 0 {
		ev.Attempt = a.failures + 1
	}
	a.mu.Lock()
	a.state = ev
	a.mu.Unlock()
	return a.cfg.Handler.Handle(ctx, ev)
}
