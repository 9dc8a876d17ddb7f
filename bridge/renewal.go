package bridge

import (
	"context"
	"sync"
	"time"

	"matrix-messenger/oauth"
)

// renewal renews an account's token when its time is nearly over. The token of a stream that is up is left alone (messenger-protocol.md 4.5), but the refresh token may be
// short-lived too; and a reconnect finds a good one. While it waits there is a timer and no goroutine: an idle account has ten thousand neighbours.
type renewal struct {
	cl     *Client
	ctx    context.Context
	keeper *oauth.Keeper

	mu    sync.Mutex
	timer *time.Timer
}

const (
	// minRefreshWait bounds how often a renewal is tried that fails.
	minRefreshWait = 10 * time.Second
	// maxRefreshWait is how long the time of a token is not looked at: a new sign-in may have replaced it.
	maxRefreshWait = time.Hour
)

// renewAhead keeps a token fresh until ctx ends; then stop is to be called.
func (cl *Client) renewAhead(ctx context.Context, keeper *oauth.Keeper) (stop func()) {
	r := &renewal{cl: cl, ctx: ctx, keeper: keeper}
	r.arm()
	return r.stop
}

// arm starts the timer, unless it is over.
func (r *renewal) arm() {
	wait := maxRefreshWait
	if at := r.keeper.RefreshAt(); !at.IsZero() {
		wait = min(max(time.Until(at), minRefreshWait), maxRefreshWait)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() == nil {
		r.timer = time.AfterFunc(wait, r.renew)
	}
}

// renew is the timer's. It ends with the context.
func (r *renewal) renew() {
	if at := r.keeper.RefreshAt(); !at.IsZero() && !time.Now().Before(at) {
		if _, err := r.keeper.Token(r.ctx, ""); err != nil && r.ctx.Err() == nil {
			r.cl.log.Debug().Err(err).Msg("The token could not be renewed ahead of its end")
		}
	}
	r.arm()
}

// stop ends the timer, and returns when a renewal that was under way is stored.
func (r *renewal) stop() {
	r.mu.Lock()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	r.keeper.Close()
}
