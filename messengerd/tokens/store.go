package tokens

import (
	"container/heap"
	"sync"
	"time"
)

// Status is what the store knows of a token.
type Status int

const (
	// Unknown means never issued here, or forgotten since.
	Unknown Status = iota
	// Valid means issued, not expired and not revoked.
	Valid
	// Expired means issued once and now past its time.
	Expired
	// Revoked means taken back, by a log-out or after its code was used twice.
	Revoked
)

// String gives the status in a word, for logs.
func (s Status) String() string {
	switch s {
	case Valid:
		return "valid"
	case Expired:
		return "expired"
	case Revoked:
		return "revoked"
	default:
		return "unknown"
	}
}

// Defaults of [Options].
const (
	// DefaultLife is how long a token lives (protocol, section 4.5).
	DefaultLife = time.Hour
	// DefaultRemember is how long an expired token is still known as expired.
	DefaultRemember = 24 * time.Hour
	// DefaultMax is the largest number of tokens kept.
	DefaultMax = 100_000
)

// Options are a Store's settings; the zero value means the defaults.
type Options struct {
	// Life of the tokens that Issue makes, DefaultLife when zero.
	Life time.Duration
	// Shape of the tokens that Issue makes.
	Shape Shape
	// Remember is how long expired tokens are kept, DefaultRemember when zero.
	Remember time.Duration
	// Max is the largest number of tokens kept, DefaultMax when zero.
	Max int
	// Now is the clock, time.Now when nil.
	Now func() time.Time
}

// Token is one issued access token.
type Token struct {
	// Value is the secret itself.
	Value string
	// Account is the ID of the account that the token signs in.
	Account string
	// Expires is when it stops being valid; the zero time means never.
	Expires time.Time
}

type entry struct {
	Token
	revoked bool
	index   int // in the queue
}

// Store holds the tokens. Make one with New.
type Store struct {
	now      func() time.Time
	remember time.Duration
	max      int

	mu      sync.Mutex
	life    time.Duration
	shape   Shape
	byValue map[string]*entry
	queue   queue
}

// New makes an empty store.
func New(o Options) *Store {
	s := &Store{
		now:      o.Now,
		remember: o.Remember,
		max:      o.Max,
		life:     o.Life,
		shape:    o.Shape,
		byValue:  make(map[string]*entry),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.remember == 0 {
		s.remember = DefaultRemember
	}
	if s.max <= 0 {
		s.max = DefaultMax
	}
	if s.life == 0 {
		s.life = DefaultLife
	}
	return s
}

// Issue makes a new token for an account with the store's shape and life.
func (s *Store) Issue(account string) Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Token{Value: s.shape.generate(), Account: account, Expires: s.now().Add(s.life)}
	s.put(t)
	return t
}

// Add makes a token known that was chosen elsewhere, such as one from a
// configuration file. The zero time means that it never expires. An older
// token of the same value is replaced.
func (s *Store) Add(value, account string, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(Token{Value: value, Account: account, Expires: expires})
}

// Lookup says whose a token is and whether it may be used. The account is also
// given for expired and revoked tokens, and empty for unknown ones.
func (s *Store) Lookup(value string) (account string, status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byValue[value]
	switch {
	case e == nil:
		return "", Unknown
	case e.revoked:
		return e.Account, Revoked
	case !e.Expires.IsZero() && !s.now().Before(e.Expires):
		return e.Account, Expired
	default:
		return e.Account, Valid
	}
}

// ExpiresAt gives the time at which a token stops being valid, for a server
// that ends streams then. It is false for unknown tokens and for those that never expire.
func (s *Store) ExpiresAt(value string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byValue[value]
	if e == nil || e.Expires.IsZero() {
		return time.Time{}, false
	}
	return e.Expires, true
}

// Revoke takes one token back. Unknown ones are ignored.
func (s *Store) Revoke(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byValue[value]; e != nil {
		e.revoked = true
	}
}

// RevokeAccount takes back every token of an account, as when its owner
// withdraws consent.
func (s *Store) RevokeAccount(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.queue {
		if e.Account == account {
			e.revoked = true
		}
	}
}

// SetShape changes what the next tokens look like.
func (s *Store) SetShape(shape Shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shape = shape
}

// SetLife changes how long the next tokens live; those that exist keep their time.
func (s *Store) SetLife(life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = life
}

// Len is the number of tokens kept, of any status.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// put stores a token and forgets those that are too old or too many.
func (s *Store) put(t Token) {
	if old := s.byValue[t.Value]; old != nil {
		heap.Remove(&s.queue, old.index)
	}
	forget := s.now().Add(-s.remember)
	for len(s.queue) > 0 {
		first := s.queue[0]
		stale := !first.Expires.IsZero() && first.Expires.Before(forget)
		if !stale && len(s.queue) < s.max {
			break
		}
		heap.Pop(&s.queue)
		delete(s.byValue, first.Value)
	}
	e := &entry{Token: t}
	s.byValue[t.Value] = e
	heap.Push(&s.queue, e)
}

// queue is a heap in the order in which tokens expire; those that never do come last.
type queue []*entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := q[i].Expires, q[j].Expires
	if a.IsZero() || b.IsZero() {
		return !a.IsZero()
	}
	return a.Before(b)
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	old := *q
	last := len(old) - 1
	e := old[last]
	old[last] = nil
	*q = old[:last]
	return e
}
