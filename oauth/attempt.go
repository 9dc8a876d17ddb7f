package oauth

import (
	"container/list"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	// AttemptLife is how long a sign-in may take.
	AttemptLife = 10 * time.Minute
	// maxAttempts bounds the sign-ins under way; the oldest ends when one more begins.
	maxAttempts = 10_000
	// maxPerOwner bounds those of one user likewise.
	maxPerOwner = 5
)

// Attempt is one sign-in under way, for one user. It ends after AttemptLife,
// when its code was exchanged, or by Cancel.
type Attempt struct {
	owner    string
	state    string
	verifier string
	expires  time.Time
	all      *attempts
	place    *list.Element // in all.order

	claimed bool          // guarded by all.mu: a code of this attempt is being or was exchanged
	over    chan struct{} // closed when it was cancelled or pushed out
	result  chan outcome  // holds the callback's result, at most one
	done    chan verdict  // holds what Done was told, at most one
}

type outcome struct {
	tokens Tokens
	err    error
}

type verdict struct {
	name string
	err  error
}

// attempts are the sign-ins under way.
type attempts struct {
	now func() time.Time

	mu      sync.Mutex
	byState map[string]*Attempt
	byOwner map[string][]*Attempt // oldest first
	order   *list.List            // of *Attempt, oldest first
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{
		now: now, byState: make(map[string]*Attempt), byOwner: make(map[string][]*Attempt), order: list.New(),
	}
}

// Begin starts a sign-in for a user (a Matrix ID, which the callback's page
// shows) and gives the link to open.
func (c *Client) Begin(owner string) (link string, a *Attempt) {
	a = &Attempt{
		owner:    owner,
		state:    newState(),
		verifier: oauth2.GenerateVerifier(),
		expires:  c.now().Add(AttemptLife),
		all:      c.attempts,
		over:     make(chan struct{}),
		result:   make(chan outcome, 1),
		done:     make(chan verdict, 1),
	}
	c.attempts.add(a)
	link = c.library.AuthCodeURL(a.state, oauth2.S256ChallengeOption(a.verifier))
	// Every '+' in the link stands for a space; the service documents %20.
	return strings.ReplaceAll(link, "+", "%20"), a
}

func newState() string {
	b := make([]byte, 24)
	rand.Read(b) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *attempts) add(a *Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	// All live equally long, so the expired ones are in front.
	for s.order.Len() > 0 {
		oldest := s.order.Front().Value.(*Attempt)
		if s.order.Len() < maxAttempts && now.Before(oldest.expires) {
			break
		}
		s.drop(oldest)
	}
	if own := s.byOwner[a.owner]; len(own) >= maxPerOwner {
		s.drop(own[0])
	}
	a.place = s.order.PushBack(a)
	s.byState[a.state] = a
	s.byOwner[a.owner] = append(s.byOwner[a.owner], a)
}

// drop ends an attempt; the caller holds the lock.
func (s *attempts) drop(a *Attempt) {
	delete(s.byState, a.state)
	s.order.Remove(a.place)
	own := slices.DeleteFunc(s.byOwner[a.owner], func(other *Attempt) bool { return other == a })
	if s.byOwner[a.owner] = own; len(own) == 0 {
		delete(s.byOwner, a.owner)
	}
	close(a.over)
}

// find gives the attempt of a state, if it has not expired.
func (s *attempts) find(state string) *Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.byState[state]
	if a == nil || !s.now().Before(a.expires) {
		return nil
	}
	return a
}

// claim takes the right to exchange the attempt's one code; false if it was
// taken before or the attempt is over.
func (a *Attempt) claim() bool {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	if a.claimed || a.all.byState[a.state] != a || !a.all.now().Before(a.expires) {
		return false
	}
	a.claimed = true
	return true
}

// release gives the right back after a failure that may pass.
func (a *Attempt) release() {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	a.claimed = false
}

// Cancel ends the attempt: its link and its code are of no more use. Cancelling
// twice, or after the end, does nothing.
func (a *Attempt) Cancel() {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	if a.all.byState[a.state] == a {
		a.all.drop(a)
	}
}

// Wait waits for the callback to bring the tokens. It returns an *Error of class
// StartAgain when the time is over, and the context's error when that ends first.
func (a *Attempt) Wait(ctx context.Context) (Tokens, error) {
	timer := time.NewTimer(a.expires.Sub(a.all.now()))
	defer timer.Stop()
	select {
	case o := <-a.result:
		return o.tokens, o.err
	default:
	}
	select {
	case o := <-a.result:
		return o.tokens, o.err
	case <-ctx.Done():
		return Tokens{}, ctx.Err()
	case <-a.over:
		return Tokens{}, endedError("This sign-in was ended, perhaps by a newer one. Please start the login again.")
	case <-timer.C:
		return Tokens{}, endedError("The sign-in was not finished within ten minutes. Please start the login again.")
	}
}

// Done tells the callback's page, which waits for it, how the login went on
// after Wait gave the tokens: the name of the account that is signed in, or why
// it is not. If the error has a HumanError method, the page shows that text.
// Only the first call counts.
func (a *Attempt) Done(name string, err error) {
	select {
	case a.done <- verdict{name, err}:
	default:
	}
}

// deliver hands the callback's result to Wait.
func (a *Attempt) deliver(t Tokens, err error) {
	select {
	case a.result <- outcome{t, err}:
	default:
	}
}

func endedError(human string) *Error {
	return &Error{Class: StartAgain, doing: "sign-in", detail: "the attempt is over", human: human}
}

// Format leaves out the state and the verifier.
func (a *Attempt) Format(f fmt.State, _ rune) {
	printRedacted(f, fmt.Sprintf("sign-in attempt of %s until %s", a.owner, a.expires.UTC().Format(time.RFC3339)))
}
