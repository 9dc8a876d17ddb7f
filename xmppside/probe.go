package xmppside

import (
	"context"
	"fmt"
	"strings"
	"time"

	"matrix-messenger/xmppside/session"
)

// ProbeStatus is how a check of Probe came out.
type ProbeStatus string

// The outcomes of a check.
const (
	ProbeOK   ProbeStatus = "ok"
	ProbeWarn ProbeStatus = "warn"
	ProbeFail ProbeStatus = "fail"
	ProbeSkip ProbeStatus = "skip" // an earlier check failed, so this one could not be made
)

// ProbeResult is one check of the way to the service.
type ProbeResult struct {
	Check   string // dns, tls, redirect or service
	Status  ProbeStatus
	Message string // a sentence
	Remedy  string // what to do, empty when there is nothing to do
}

// expiresSoon is how long before its end a certificate is worth a warning.
const expiresSoon = 14 * 24 * time.Hour

// Probe goes the way of a sign-in as far as the service's offer, without a token, and says what it found: the name, the
// certificate, the redirects, the way of signing in. It counts as a connection attempt like any other.
func (s *Service) Probe(ctx context.Context) []ProbeResult {
	p := &probe{service: s}
	entry, ok := p.dns(ctx)
	if !ok {
		p.skip("tls", "redirect", "service")
		return p.results
	}
	p.walk(ctx, entry)
	return p.results
}

// probe collects results.
type probe struct {
	service *Service
	results []ProbeResult
}

// add notes a result. In the remedy settings stand in braces.
func (p *probe) add(check string, status ProbeStatus, message, remedy string) {
	p.results = append(p.results, ProbeResult{Check: check, Status: status, Message: message, Remedy: p.service.words.Replace(remedy)})
}

func (p *probe) skip(checks ...string) {
	for _, check := range checks {
		p.add(check, ProbeSkip, "Not looked at, because the step before it failed.", "")
	}
}

// dns says where the service is reached.
func (p *probe) dns(ctx context.Context) ([]target, bool) {
	profile := &p.service.profile
	entry, offered := p.service.entry(ctx)
	switch {
	case !offered:
		p.add("dns", ProbeFail, "The SRV record of "+profile.Domain+" says that this domain has no such service.",
			"Check {domain}, or set {address}.")
		return nil, false
	case len(entry) == 0:
		p.add("dns", ProbeFail, "There is no address for "+profile.Domain+".", "Set {address}.")
		return nil, false
	case profile.Address != "":
		p.add("dns", ProbeOK, "The configured address "+profile.Address+" is used, without a lookup of SRV records.", "")
	case entry[0].address() == profile.FallbackHost:
		p.add("dns", ProbeOK, profile.Domain+" has no SRV record; "+profile.FallbackHost+" is used.", "")
	default:
		p.add("dns", ProbeOK, "SRV records lead to "+addresses(entry)+".", "")
	}
	return entry, true
}

func addresses(targets []target) string {
	var list []string
	for _, t := range targets {
		list = append(list, t.address())
	}
	return strings.Join(list, ", ")
}

// walk connects, follows redirects, and reports.
func (p *probe) walk(ctx context.Context, entry []target) {
	var offer session.Offer
	r := &route{service: p.service, seen: make(map[string]bool)}
	r.try = func(ctx context.Context, t target) (*session.Stream, error) {
		raw, err := p.service.dial(ctx, t)
		if err != nil {
			return nil, &session.Failure{Cause: causeUnreachable, Err: err}
		}
		offer, err = session.Inspect(ctx, raw, p.service.sessionOptions("", nil))
		return nil, err
	}
	_, failed := r.visit(ctx, entry)
	if failed != nil {
		p.failure(r, failed)
		return
	}
	p.certificate(r, offer)
	p.redirects(r)
	if _, _, ok := p.service.profile.Authenticate("").Start(offer.Mechanisms, offer.TLS); !ok {
		p.add("service", ProbeFail, fmt.Sprintf("%s does not offer the way of signing in of %s, but %s.", r.host, p.service.profile.Name, list(offer.Mechanisms)),
			"Check {domain} and {address}: this seems to be another service.")
		return
	}
	p.add("service", ProbeOK, fmt.Sprintf("%s offers its way of signing in at %s.", p.service.profile.Name, r.host), "")
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func (p *probe) certificate(r *route, offer session.Offer) {
	leaf := offer.TLS.PeerCertificates[0]
	end := leaf.NotAfter.UTC().Format(time.DateOnly)
	message := fmt.Sprintf("The certificate of %s is for %s and good until %s.", r.host, describeNames(leaf), end)
	if leaf.NotAfter.Sub(p.service.opts.Now()) < expiresSoon {
		p.add("tls", ProbeWarn, message, "The operator of the service should renew it soon.")
		return
	}
	p.add("tls", ProbeOK, message, "")
}

func (p *probe) redirects(r *route) {
	if r.hops == 0 {
		p.add("redirect", ProbeOK, "The service did not redirect this connection.", "")
		return
	}
	p.add("redirect", ProbeOK, fmt.Sprintf("The service redirected this connection to %s (%d of at most %d redirects).", r.host, r.hops, p.service.profile.Redirects), "")
}

// failure reports what went wrong under the check that it belongs to.
func (p *probe) failure(r *route, failed *session.Failure) {
	reason := " (" + failed.Error() + ")."
	switch failed.Cause {
	case session.NoTLS:
		p.add("tls", ProbeFail, r.host+" does not offer encryption.", "Check {address} and the network in between: something may strip STARTTLS.")
		p.skip("redirect", "service")
	case session.Certificate:
		p.add("tls", ProbeFail, "The certificate of "+r.host+" is not accepted"+reason, "Check {domain}; give its authority in {trusted authorities} or its name in {accepted names} if you trust it.")
		p.skip("redirect", "service")
	case session.TLSRefused, session.TLSBroken:
		p.add("tls", ProbeFail, "No encrypted connection to "+r.host+" could be set up"+reason, "Check the service's TLS settings (TLS 1.2 or later) and the network in between.")
		p.skip("redirect", "service")
	case causeRedirects:
		p.skip("tls")
		p.add("redirect", ProbeFail, "The redirects of the service lead nowhere"+reason, "Check that the hosts it names can be reached from here, and {number of redirects}.")
		p.skip("service")
	default:
		p.skip("tls", "redirect")
		p.add("service", ProbeFail, "The service does not answer as it should at "+r.host+reason, "Check {domain} and {address}, and the firewall for outgoing connections to port 5222.")
	}
}
