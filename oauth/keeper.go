package oauth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// refreshMargin is how long before its end a token is refreshed (section 4.5).
	refreshMargin = 5 * time.Minute
	// refreshJitter spreads refreshes of many logins made at the same time.
	refreshJitter = time.Minute
	// flightTimeout bounds a refresh: a POST, perhaps a GET after it, and storing.
	flightTimeout = 2*requestTimeout + storeTimeout
	storeTimeout  = 15 * time.Second
)

// KeeperOptions are a Keeper's settings.
type KeeperOptions struct {
	// Store keeps new tokens durably; it is called before they are used. When
	// it fails, they are kept in memory and storing is tried again at the next
	// call. Needed.
	Store func(context.Context, Tokens) error
	// Now is the clock, the client's when nil.
	Now func() time.Time
	// Jitter is added to the five minutes before the end of a token; random
	// up to a minute when nil. It is asked once for each new token.
	Jitter func() time.Duration
}

// Keeper keeps one login's tokens fresh. It may be used from any number of
// goroutines: however many ask, one refresh is under way at a time. A refresh
// that has begun is finished and stored even if its caller gives up, because
// the service may have replaced the refresh token already.
type Keeper struct {
	client *Client
	store  func(context.Context, Tokens) error
	now    func() time.Time
	jitter func() time.Duration

	mu       sync.Mutex
	current  Tokens
	from     time.Time // when current was obtained here, zero if not known
	margin   time.Duration
	unstored *Tokens // obtained, but not yet stored
	dead     error   // the service refused the refresh token: only a new login, with a keeper of its own, helps
	flight   *flight
	closed   bool
}

// flight is one refresh under way.
type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

var errClosed = &Error{Class: Transient, doing: "refresh", detail: "the login is being closed"}

// NewKeeper makes a keeper of tokens that are stored already.
func NewKeeper(client *Client, stored Tokens, o KeeperOptions) (*Keeper, error) {
	if client == nil || o.Store == nil {
		return nil, errors.New("oauth: a keeper needs a client and a Store function")
	}
	k := &Keeper{client: client, store: o.Store, now: o.Now, jitter: o.Jitter, current: stored}
	if k.now == nil {
		k.now = client.now
	}
	if k.jitter == nil {
		k.jitter = func() time.Duration { return rand.N(refreshJitter) }
	}
	k.margin = refreshMargin + k.jitter()
	return k, nil
}

// Token gives an access token to sign in with. refused is the one that the
// service has just turned down, or empty: a token is refreshed first when it is
// that one, or when its time is nearly over. A token that is still valid is
// given even if refreshing it ahead of time fails. Errors are of this package's
// classes, or the context's.
func (k *Keeper) Token(ctx context.Context, refused string) (string, error) {
	f, token, err := k.start(refused)
	if f == nil {
		return token, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.err != nil && (k.current.Access == refused || !k.valid()) {
		return "", f.err
	}
	return k.current.Access, nil
}

// start decides whether a refresh is needed and joins or begins one.
func (k *Keeper) start(refused string) (*flight, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	turnedDown := k.current.Access == "" || refused != "" && refused == k.current.Access
	if !turnedDown && k.unstored == nil && !k.due() {
		return nil, k.current.Access, nil
	}
	if k.flight != nil {
		return k.flight, "", nil
	}
	err := k.dead
	if err == nil && k.closed {
		err = errClosed
	}
	if err == nil && k.current.Refresh == "" && k.unstored == nil {
		err = &Error{Class: LoginNeeded, doing: "refresh", detail: "there is no refresh token"}
	}
	if err != nil {
		if !turnedDown && k.valid() {
			return nil, k.current.Access, nil
		}
		return nil, "", err
	}
	k.flight = &flight{done: make(chan struct{})}
	go k.fly(k.flight, k.current, k.unstored)
	return k.flight, "", nil
}

// fly is the one goroutine of a keeper; Close waits for it.
func (k *Keeper) fly(f *flight, old Tokens, unstored *Tokens) {
	ctx, cancel := context.WithTimeout(context.Background(), flightTimeout)
	defer cancel()
	var next Tokens
	var err error
	if unstored != nil {
		next = *unstored
	} else {
		next, err = k.client.Refresh(ctx, old)
	}
	obtained := err == nil
	if obtained {
		err = k.save(ctx, next)
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(f.done)
	f.err = err
	k.flight = nil
	switch {
	case err == nil:
		k.set(next)
	case obtained:
		k.unstored = &next
	case ClassOf(err) == LoginNeeded:
		k.dead = err
	}
}

func (k *Keeper) save(ctx context.Context, t Tokens) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := k.store(ctx, t); err != nil {
		return &Error{
			Class: Transient, doing: "store tokens", cause: storeError{err},
			detail: scrub(err.Error(), []string{t.Access, t.Refresh}),
			human:  "The new sign-in could not be stored. It will be tried again by itself.",
		}
	}
	return nil
}

// storeError lets errors.Is and errors.As see the store's error, without its text.
type storeError struct{ err error }

func (storeError) Error() string   { return "storing failed" }
func (e storeError) Unwrap() error { return e.err }

// set takes tokens into use; the caller holds the lock.
func (k *Keeper) set(t Tokens) {
	k.current, k.unstored, k.dead = t, nil, nil
	k.from = k.now()
	k.margin = refreshMargin + k.jitter()
	// Tokens that live only minutes would be refreshed at every call.
	if life := t.Expires.Sub(k.from); !t.Expires.IsZero() && k.margin > life/2 {
		k.margin = max(0, life/2)
	}
}

func (k *Keeper) due() bool {
	return !k.current.Expires.IsZero() && !k.now().Before(k.current.Expires.Add(-k.margin))
}

func (k *Keeper) valid() bool {
	return k.current.Access != "" && (k.current.Expires.IsZero() || k.now().Before(k.current.Expires))
}

// RefreshAt is from when on Token refreshes by itself; the zero time means that
// it only does so when the service refuses the token. For a caller's timer.
func (k *Keeper) RefreshAt() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.Expires.IsZero() || k.current.Refresh == "" {
		return time.Time{}
	}
	return k.current.Expires.Add(-k.margin)
}

// Close waits for a refresh under way, at most until its own deadline, so that
// its tokens are stored. Afterwards no refresh begins; Token still gives a
// token that is valid.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	f := k.flight
	k.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

// Format leaves out the tokens.
func (k *Keeper) Format(f fmt.State, _ rune) { printRedacted(f, "keeper of one login's tokens") }
