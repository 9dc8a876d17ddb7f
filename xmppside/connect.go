package xmppside

import (
	"context"
	"errors"
	"fmt"

	"matrix-messenger/xmppside/session"
)

var (
	errNoTarget    = errors.New("there is no address to connect to")
	errNotOffered  = errors.New("the domain's SRV record says that it has no such service")
	errTooFar      = errors.New("too many redirects")
	errLoop        = errors.New("the redirects lead in a circle")
	errUnreachable = errors.New("the host that the service named cannot be reached")
)

// String is the target as a configuration or a redirect would write it, with its port if one was given.
func (t target) String() string {
	if t.port != 0 {
		return t.address()
	}
	return t.host
}

// route is one search for a host that signs the user in. One goroutine.
type route struct {
	service *Service
	try     func(context.Context, target) (*session.Stream, error)
	hops    int
	seen    map[string]bool
	loop    bool
	host    string // the last one tried, host:port
}

// connect finds a host that signs the user in: the last good one first, then the entry points, and wherever they
// redirect to. The next address is tried only after failures that another address may not have.
func (a *Account) connect(ctx context.Context, token string) (*session.Stream, string, *session.Failure) {
	resource := a.cfg.Resource
	if a.noResource {
		resource = ""
	}
	r := &route{service: a.service, seen: make(map[string]bool)}
	r.try = func(ctx context.Context, t target) (*session.Stream, error) {
		raw, err := a.service.dial(ctx, t)
		if err != nil {
			return nil, &session.Failure{Cause: causeUnreachable, Err: err}
		}
		return session.Connect(ctx, raw, a.service.sessionOptions(resource, a.service.profile.Authenticate(token)))
	}
	if t, err := parseTarget(a.lastHost); err == nil {
		stream, failed := r.visit(ctx, a.service.follow(ctx, t))
		if failed == nil || ctx.Err() != nil || answered(failed) {
			return stream, r.host, failed
		}
		a.cfg.Log.Debug().Str("host", a.lastHost).Err(failed).Msg("The last good host failed; starting at the entry point")
		a.lastHost = ""
		r.hops, r.seen, r.loop = 0, make(map[string]bool), false
	}
	entry, offered := a.service.entry(ctx)
	if !offered {
		return nil, "", &session.Failure{Cause: causeNotOffered, Err: errNotOffered}
	}
	stream, failed := r.visit(ctx, entry)
	return stream, r.host, failed
}

// answered says that a host is the service, and has decided about the user: another host would do the same.
func answered(f *session.Failure) bool {
	return f.Cause == session.SASL || f.Cause == session.Bind
}

// visit tries targets in order, following redirects.
func (r *route) visit(ctx context.Context, targets []target) (*session.Stream, *session.Failure) {
	last := &session.Failure{Cause: causeUnreachable, Err: errNoTarget}
	for _, t := range targets {
		r.host = t.address()
		if r.seen[r.host] {
			r.loop = true
		}
		r.seen[r.host] = true
		stream, err := r.try(ctx, t)
		if err == nil {
			return stream, nil
		}
		if !errors.As(err, &last) {
			last = &session.Failure{Cause: session.Lost, Err: err}
		}
		if ctx.Err() != nil {
			return nil, last
		}
		if last.Cause == session.Redirected {
			return r.redirect(ctx, last.Target)
		}
		if !nextAddress(last) {
			return nil, last
		}
	}
	return nil, last
}

// nextAddress says whether another address of the same service is worth trying (messenger-protocol.md 12.3, first row).
func nextAddress(f *session.Failure) bool {
	switch f.Cause {
	case causeUnreachable, session.Lost, session.Stuck:
		return true
	default:
		return false
	}
}

// redirect goes where the service points to.
func (r *route) redirect(ctx context.Context, to string) (*session.Stream, *session.Failure) {
	r.hops++
	if r.hops > r.service.profile.Redirects {
		err := errTooFar
		if r.loop {
			err = errLoop
		}
		return nil, &session.Failure{Cause: causeRedirects, Err: err}
	}
	t, err := parseTarget(to)
	if err != nil {
		return nil, &session.Failure{Cause: causeRedirects, Err: fmt.Errorf("redirect to %q: %w", to, err)}
	}
	stream, failed := r.visit(ctx, r.service.follow(ctx, t))
	if failed != nil && failed.Cause == causeUnreachable {
		failed = &session.Failure{Cause: causeRedirects, Text: to, Err: fmt.Errorf("%w: %w", errUnreachable, failed)}
	}
	return stream, failed
}
