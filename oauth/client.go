package oauth

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"
)

// requestTimeout bounds one request to the token address.
const requestTimeout = 30 * time.Second

// Client signs people in. Make one with NewClient; it may be used from any
// number of goroutines.
type Client struct {
	cfg      Config
	library  oauth2.Config
	http     http.Client
	attempts *attempts
	now      func() time.Time
	// retryWait is how long the callback waits before try n (1, 2, ...) of an exchange.
	retryWait func(n int) time.Duration
	// doneWait is how long the callback's page waits to learn who signed in.
	doneWait time.Duration
}

// Option changes a client that NewClient makes.
type Option func(*Client)

// WithClock sets the clock by which tokens and sign-ins expire.
func WithClock(now func() time.Time) Option { return func(c *Client) { c.now = now } }

// WithDoneWait sets how long the callback's page waits to learn from
// [Attempt.Done] who signed in, 15 seconds if not set.
func WithDoneWait(wait time.Duration) Option { return func(c *Client) { c.doneWait = wait } }

// WithRetryWait sets how long the callback waits before it repeats an exchange
// that failed for a passing reason, about one and then two seconds if not set.
func WithRetryWait(wait func(n int) time.Duration) Option {
	return func(c *Client) { c.retryWait = wait }
}

// NewClient checks the configuration and makes a client.
func NewClient(cfg Config, options ...Option) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Scopes = slices.Clone(cfg.Scopes)
	c := &Client{
		cfg: cfg,
		library: oauth2.Config{
			ClientID: cfg.ClientID, RedirectURL: cfg.RedirectURL, Scopes: cfg.Scopes,
			Endpoint: oauth2.Endpoint{AuthURL: cfg.AuthorizeURL, TokenURL: cfg.TokenURL},
		},
		now:      time.Now,
		doneWait: 15 * time.Second,
		retryWait: func(n int) time.Duration {
			base := time.Duration(n) * time.Second
			return base/2 + rand.N(base)
		},
	}
	if cfg.HTTPClient != nil {
		c.http = *cfg.HTTPClient
	}
	// A redirect would carry tokens and the client secret to another address.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.http.Timeout <= 0 || c.http.Timeout > requestTimeout {
		c.http.Timeout = requestTimeout
	}
	for _, option := range options {
		option(c)
	}
	c.attempts = newAttempts(c.now)
	return c, nil
}
