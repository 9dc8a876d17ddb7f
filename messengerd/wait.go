package messengerd

import (
	"context"
	"net"
)

// notify wakes those who wait for the account; a.mu is held.
func (a *Account) notify() {
	if a.news != nil {
		close(a.news)
		a.news = nil
	}
}

// Wait returns when a condition holds. It is looked at again whenever something
// about the account changes: its sessions and what they show, its roster and
// invitations, what its own program receives. The condition may call the
// account's methods. The error is the context's, or net.ErrClosed when the
// service closes first.
func (a *Account) Wait(ctx context.Context, holds func() bool) error {
	for {
		a.mu.Lock()
		if a.news == nil {
			a.news = make(chan struct{})
		}
		news := a.news
		a.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-a.srv.ctx.Done():
			return net.ErrClosed
		}
	}
}

// WaitOnline waits until one of the account's sessions has sent a presence: it
// is signed in and gets messages.
func (a *Account) WaitOnline(ctx context.Context) error {
	return a.Wait(ctx, a.anyOnline)
}
