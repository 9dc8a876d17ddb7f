package xmppside

import (
	"context"
	"time"

	"matrix-messenger/xmppside/session"
)

// Run keeps the account signed in until ctx ends or Stop is called, and returns when everything has ended: the stream in
// order, with its closing tag, and all goroutines. It is called once.
func (a *Account) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer a.join(cancel)()
	// The frame of this function lies beneath a session that may wait for days, so it is kept small.
	for stay := new(ended); ctx.Err() == nil; {
		a.connecting(ctx, stay)
		a.attempt(ctx, stay)
		if ctx.Err() != nil {
			break
		}
		a.rest(ctx, stay)
	}
	a.stoppedNow(ctx)
}

// join makes the account one of the service's. The function that it returns ends that.
func (a *Account) join(cancel context.CancelFunc) (leave func()) {
	a.mu.Lock()
	a.cancel = cancel
	if a.stopped {
		cancel()
	}
	a.mu.Unlock()
	return a.service.enter(a)
}

// connecting begins an attempt. The event that it makes would be kept in the frame of Run.
//
//go:noinline
func (a *Account) connecting(ctx context.Context, stay *ended) {
	*stay = ended{}
	a.tell(ctx, &StateEvent{State: Connecting, Problem: a.problem})
}

// stoppedNow lets the Handler learn of the end although the context has ended. Its event, too, is kept out of Run.
//
//go:noinline
func (a *Account) stoppedNow(ctx context.Context) {
	a.tell(context.WithoutCancel(ctx), &StateEvent{State: Stopped})
}

// ended is how an attempt, or the session that came of it, ended.
type ended struct {
	failure *session.Failure
	online  time.Duration // how long it was signed in with its presence sent; 0: never
	session uint64
	suspect string
}

// rest does what the rules say about a failure, and returns when the next attempt is due.
func (a *Account) rest(ctx context.Context, e *ended) {
	if e.online > 0 {
		a.history.forget(untilSignedIn)
	}
	if e.online >= stableAfter {
		a.failures = 0
		a.history.forget(untilStable)
	}
	if e.online >= peaceAfter {
		a.history.forget(forHours)
		a.noResource = false
	}
	if drain(a.kick) {
		a.start()
		return
	}
	action, code := a.history.decide(e.failure)
	if e.failure.Cause == session.StreamError && e.failure.Condition == "conflict" {
		a.noResource = true
	}
	a.problem = newProblem(code, action, a.service.words, e.failure)
	a.failures++
	a.cfg.Log.Warn().Str("code", string(code)).Str("action", string(action)).Int("failures", a.failures).
		Dur("online", e.online).Err(e.failure).Msg("Connection to the service ended")
	if action != Refresh || e.online >= aWhile {
		a.refusals = 0
	}
	ev := StateEvent{State: Waiting, Problem: a.problem, Attempt: a.failures, Session: e.session}
	if malformed(e.failure) {
		ev.Suspect = e.suspect
	}
	var pause time.Duration
	switch action {
	case Refresh:
		a.refused = a.token
		// A token that lived, or that ended while the service was away, is renewed at once; a service that refuses one after the other, or ends every
		// stream right after its sign-in, is not hurried.
		if a.refusals++; a.refusals > 1 {
			pause = wait(a.refusals - 1)
		}
	case Login:
		ev.State = SignedOut
		a.idle(ctx, &ev)
		return
	case TellUser, TellAdmin:
		a.idle(ctx, &ev)
		return
	case Follow:
		if a.failures > 1 { // the first redirect at once, those after it without haste
			pause = wait(a.failures - 1)
		}
	case RetryLongest:
		pause = longest()
	default:
		pause = wait(a.failures)
	}
	ev.Next = time.Now().Add(pause)
	a.tell(ctx, &ev)
	a.pause(ctx, pause)
	a.again(code)
}

// pause waits, at most until somebody asks for a new attempt or the machine wakes.
func (a *Account) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.hurry:
	case <-a.kick:
		a.start()
	case <-ctx.Done():
	}
}

// idle waits until somebody asks for a new attempt.
func (a *Account) idle(ctx context.Context, ev *StateEvent) {
	a.tell(ctx, ev)
	select {
	case <-a.kick:
		a.start()
	case <-ctx.Done():
	}
}

// start forgets what failed before.
func (a *Account) start() {
	a.history.clear()
	a.failures = 0
	a.noResource = false
	a.problem = nil
	a.refused = ""
	a.refusals = 0
}

func (a *Account) again(code Code) {
	if a.service.opts.OnReconnect != nil {
		a.service.opts.OnReconnect(code)
	}
}

// tell reports a state when no session depends on the report.
//
//go:noinline
func (a *Account) tell(ctx context.Context, ev *StateEvent) {
	if err := a.setState(ctx, *ev); err != nil && ctx.Err() == nil {
		a.cfg.Log.Error().Err(err).Str("state", string(ev.State)).Msg("The account's state could not be stored")
	}
}
