package xmppside

import (
	"context"
	"net"
	"strings"
)

// entry lists where the service is reached, best first: the configured address alone, or what SRV names and then the
// fallback host (messenger-protocol.md 2.1). offered is false when SRV says that the domain has no such service, by its
// single target "." (RFC 2782); then there is nothing to connect to.
func (s *Service) entry(ctx context.Context) (targets []target, offered bool) {
	if s.profile.Address != "" {
		t, err := parseTarget(s.profile.Address)
		if err != nil {
			return nil, true // checked in NewService
		}
		return []target{t}, true
	}
	targets, offered = s.srv(ctx, s.profile.Domain)
	if !offered {
		return nil, false
	}
	if s.profile.FallbackHost != "" {
		if t, err := parseTarget(s.profile.FallbackHost); err == nil {
			targets = appendTarget(targets, t)
		}
	}
	return targets, true
}

// follow lists where a redirect points to (messenger-protocol.md 2.4, rule 3): an address or a host with a port is
// meant exactly; for a bare name SRV is asked for a short while, and the name itself comes after it.
func (s *Service) follow(ctx context.Context, t target) []target {
	if t.ip || t.port != 0 {
		return []target{t}
	}
	targets, _ := s.srv(ctx, t.host)
	return appendTarget(targets, t)
}

// srv asks for the SRV records of a name. An error and silence count as "none".
func (s *Service) srv(ctx context.Context, name string) (targets []target, offered bool) {
	ctx, cancel := context.WithTimeout(ctx, srvTimeout)
	defer cancel()
	type answer struct {
		records []*net.SRV
		err     error
	}
	// A resolver may not heed its context; the answer is not waited for any longer than the context allows.
	answers := make(chan answer, 1)
	go func() {
		_, records, err := s.opts.Resolver.LookupSRV(ctx, "xmpp-client", "tcp", name)
		answers <- answer{records, err}
	}()
	var a answer
	select {
	case a = <-answers:
	case <-ctx.Done():
		return nil, true
	}
	if len(a.records) == 1 && strings.TrimSpace(a.records[0].Target) == "." {
		return nil, false
	}
	for _, r := range a.records {
		if len(targets) >= maxTargets {
			break
		}
		t, err := parseTarget(strings.TrimSuffix(r.Target, "."))
		if err != nil || t.port != 0 || r.Port == 0 {
			continue
		}
		t.port = r.Port
		targets = appendTarget(targets, t)
	}
	return targets, true
}

// appendTarget adds a target that is not in the list yet.
func appendTarget(targets []target, t target) []target {
	for _, have := range targets {
		if have.address() == t.address() {
			return targets
		}
	}
	return append(targets, t)
}
