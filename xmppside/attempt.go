package xmppside

import (
	"context"
	"errors"
	"fmt"
	"time"

	"matrix-messenger/xmppside/roster"
	"matrix-messenger/xmppside/session"
)

const (
	// tokenTimeout bounds the wait for a token.
	tokenTimeout = 2 * time.Minute
	// rosterTimeout bounds the wait for the roster; a service that does not answer at all is dead.
	rosterTimeout = 30 * time.Second
)

var errRoster = errors.New("the contact list did not come in time")

// attempt connects, signs in, and stays until the session ends; e takes how it did.
func (a *Account) attempt(ctx context.Context, e *ended) {
	// Handshakes and certificates need a deep stack, a session that waits for stanzas does not: so they have a goroutine
	// of their own, and its stack ends with it.
	in := new(entry)
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.stream, in.host, in.failed = a.enter(ctx)
	}()
	<-done
	if in.failed != nil {
		e.failure = in.failed
		return
	}
	a.lastHost = in.host
	a.live(ctx, in.stream, in.host, e)
}

// entry is what came of the way in.
type entry struct {
	stream *session.Stream
	host   string
	failed *session.Failure
}

// enter gets a token and a signed-in stream.
func (a *Account) enter(ctx context.Context) (*session.Stream, string, *session.Failure) {
	token, failed := a.getToken(ctx)
	if failed != nil {
		return nil, "", failed
	}
	a.token, a.refused = token, ""
	stream, host, failed := a.connect(ctx, token)
	if failed != nil {
		a.lastHost = ""
	}
	return stream, host, failed
}

func (a *Account) getToken(ctx context.Context) (string, *session.Failure) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := a.cfg.Tokens.Token(ctx, a.refused)
	if err == nil {
		return token, nil
	}
	var login interface{ LoginNeeded() bool }
	var settings interface{ SettingsWrong() bool }
	switch {
	case errors.As(err, &login) && login.LoginNeeded():
		return "", &session.Failure{Cause: causeTokenLogin, Err: err}
	case errors.As(err, &settings) && settings.SettingsWrong():
		return "", &session.Failure{Cause: causeTokenSettings, Err: err}
	}
	return "", &session.Failure{Cause: causeToken, Err: err}
}

// live runs a signed-in stream to its end.
func (a *Account) live(ctx context.Context, stream *session.Stream, host string, e *ended) {
	in := a.settle(ctx, stream, host)
	e.failure = stream.Run(ctx, in)
	in.stop()
	a.mu.Lock()
	a.stream, a.session = nil, nil
	a.mu.Unlock()
	e.session, e.suspect = in.session.id, stream.Suspect()
	if !in.online.IsZero() {
		e.online = max(1, time.Since(in.online))
	}
	if e.failure.Cause == session.Redirected {
		a.redirected(e.failure, e)
	}
}

// settle makes a stream a session and asks for what comes first.
func (a *Account) settle(ctx context.Context, stream *session.Stream, host string) *inbound {
	s := &Session{id: a.service.lastID.Add(1), stream: stream}
	a.mu.Lock()
	a.stream = stream
	a.mu.Unlock()
	in := &inbound{account: a, session: s}
	if err := in.begin(ctx, host); err != nil {
		stream.Fail(&session.Failure{Cause: session.Refused, Err: err})
	}
	return in
}

// redirected is for a redirect in the running session: its target is where the next attempt starts.
func (a *Account) redirected(failed *session.Failure, e *ended) {
	t, err := parseTarget(failed.Target)
	if err != nil {
		a.lastHost = ""
		e.failure = &session.Failure{Cause: causeRedirects, Err: fmt.Errorf("%q: %w", failed.Target, err)}
		return
	}
	a.lastHost = t.String()
}

// begin says who the user is and asks for the roster.
func (in *inbound) begin(ctx context.Context, host string) error {
	stream := in.session.stream
	address := stream.JID()
	ev := SignedIn{JID: address, Host: host, Resource: address.Resourcepart(), Session: in.session.id}
	if err := in.account.cfg.Handler.Handle(ctx, ev); err != nil {
		return err
	}
	in.timer = time.AfterFunc(rosterTimeout, func() {
		stream.Fail(&session.Failure{Cause: session.Lost, Err: errRoster})
	})
	query := new(roster.Query)
	return stream.RequestInOrder(ctx, roster.FetchRequest(), query, func(err error) error { return in.ready(ctx, query, err) })
}

// ready takes the roster, shows the own presence, and is online. A service that refuses to give the roster still passes
// messages on, so that is no reason to stop.
func (in *inbound) ready(ctx context.Context, query *roster.Query, err error) error {
	in.stop()
	a := in.account
	if err != nil {
		a.cfg.Log.Warn().Err(err).Msg("The service did not give the contact list")
	} else {
		list := query.List()
		if list.Skipped > 0 {
			a.cfg.Log.Warn().Int("skipped", list.Skipped).Msg("Some entries of the contact list cannot be used")
		}
		if err := a.cfg.Handler.Handle(ctx, RosterLoaded{Items: list.Items}); err != nil {
			return err
		}
	}
	a.mu.Lock()
	a.shown = a.presence
	err = in.session.stream.Replace(a.presence.stanza())
	a.session = in.session
	a.mu.Unlock()
	if err != nil {
		return err
	}
	in.online = time.Now()
	drain(a.kick)
	a.problem = nil
	return a.setState(ctx, StateEvent{State: Online, Session: in.session.id})
}

func (in *inbound) stop() {
	if in.timer != nil {
		in.timer.Stop()
	}
}
