package bridge

import (
	"context"
	"errors"
	"time"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// Codes of the states that a login is in before it has an account. All other codes come from package xmppside.
const (
	// codeNoCredential is a login whose stored sign-in is missing or cannot be opened.
	codeNoCredential = xmppside.CodeTokenMissing
	// codeDatabase is a login whose stored sign-in cannot be read at the moment.
	codeDatabase xmppside.Code = "messenger-database"
)

const (
	textNoCredential = "No sign-in is stored for this account. Please sign in again with the `login` command; your rooms stay."
	textUnreadable   = "The stored sign-in of this account cannot be opened: it is damaged, or was sealed with a secret_key that the " +
		"configuration does not have any more. Please sign in again with the `login` command; your rooms stay."
	textDatabase = "The bridge's database does not answer, so your sign-in cannot be read at the moment. The bridge tries again by " +
		"itself; if this lasts, the administrator should check the database."
)

var errNoCredential = errors.New("no sign-in is stored for this login")

// credential reads the login's sign-in. A database that does not answer, perhaps because it is starting beside the
// bridge, is asked again for as long as it takes: an outage never costs anybody their sign-in. One that is missing or
// cannot be opened waits for Connect, which is called when somebody has put that right. The error is ctx's.
func (cl *Client) credential(ctx context.Context, run *running) (database.Credential, error) {
	cl.onState(xmppside.StateEvent{State: xmppside.Connecting, Since: time.Now(), Attempt: 1})
	since := time.Now()
	for attempt := 1; ; attempt++ {
		credential, found, err := cl.c.db.Credential.Get(ctx, cl.id())
		if err == nil && found {
			return credential, nil
		}
		if ctx.Err() != nil {
			return database.Credential{}, ctx.Err()
		}
		if err == nil {
			err = errNoCredential
		}
		state := xmppside.StateEvent{Since: since, Attempt: attempt}
		if problem := lostCredential(err); problem != nil {
			cl.log.Err(err).Msg("The account has no usable sign-in")
			state.State, state.Problem = xmppside.SignedOut, problem
			cl.inbound.resume() // what an earlier run received belongs to its room all the same
		} else {
			wait := backoff(attempt)
			cl.log.Warn().Err(err).Int("attempt", attempt).Dur("next", wait).Msg("The account's sign-in cannot be read and is tried again")
			state.State, state.Next = xmppside.Waiting, time.Now().Add(wait)
			state.Problem = &xmppside.Problem{Code: codeDatabase, Action: xmppside.Retry, Text: textDatabase, Err: err}
		}
		cl.onState(state)
		if run.pause(ctx, state.Next) {
			attempt, since = 0, time.Now()
		}
	}
}

// pause waits until next, or without end when that is zero, and reports whether somebody asked for another attempt before.
func (r *running) pause(ctx context.Context, next time.Time) (asked bool) {
	var due <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-r.again:
		return true
	case <-ctx.Done():
	}
	return false
}

// lostCredential is what is said of a sign-in that no further attempt would read, and nil of one that a further attempt may.
func lostCredential(err error) *xmppside.Problem {
	lost := &xmppside.Problem{Code: codeNoCredential, Action: xmppside.Login, Err: err}
	switch {
	case errors.Is(err, errNoCredential):
		lost.Text = textNoCredential
	case errors.Is(err, database.ErrUnknownKey), errors.Is(err, database.ErrTampered), errors.Is(err, database.ErrNotSealed):
		lost.Text = textUnreadable
	default:
		return nil
	}
	return lost
}
