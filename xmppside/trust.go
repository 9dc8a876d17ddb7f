package xmppside

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"matrix-messenger/xmppside/session"
)

// sessionCache is how many TLS sessions are kept for resumption; all hosts of a service share one name.
const sessionCache = 64

// tlsConfig is the trust of messenger-protocol.md 2.2, rules 1 to 6. The server name is the domain's, on every host of a
// redirect chain; what a redirect says never becomes a name to trust. The standard check is replaced, not left out:
// VerifyConnection runs for resumed sessions too.
func tlsConfig(p *Profile, now func() time.Time) *tls.Config {
	return &tls.Config{
		ServerName:                  p.Domain,
		MinVersion:                  tls.VersionTLS12,
		DynamicRecordSizingDisabled: true,
		ClientSessionCache:          tls.NewLRUClientSessionCache(sessionCache),
		InsecureSkipVerify:          true, //nolint:gosec // verifyPeer is the check, with the service's own name rules
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := verifyPeer(p, state, now()); err != nil {
				return &session.CertificateError{Err: err}
			}
			return nil
		},
	}
}

// verifyPeer checks chain, dates and names.
func verifyPeer(p *Profile, state tls.ConnectionState, now time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the service showed no certificate")
	}
	leaf := state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: p.Roots, Intermediates: intermediates, CurrentTime: now}); err != nil {
		return err
	}
	for _, name := range append([]string{p.Domain}, p.CertNames...) {
		if certificateNames(leaf, name) {
			return nil
		}
	}
	return fmt.Errorf("the certificate is for %s, not for %s", describeNames(leaf), p.Domain)
}

// certificateNames says whether the certificate is for this name (messenger-protocol.md 2.2, rule 3). The common name
// does not count.
func certificateNames(leaf *x509.Certificate, name string) bool {
	pattern, wild := strings.CutPrefix(strings.ToLower(name), "*.")
	if !wild {
		return leaf.VerifyHostname(name) == nil
	}
	for _, have := range leaf.DNSNames {
		label, rest, ok := strings.Cut(strings.ToLower(strings.TrimSuffix(have, ".")), ".")
		if ok && label != "" && rest == pattern && (label == "*" || !strings.Contains(label, "*")) {
			return true
		}
	}
	return false
}

// describeNames lists a certificate's names for a person, a few of them.
func describeNames(leaf *x509.Certificate) string {
	names := leaf.DNSNames
	more := ""
	if len(names) > 4 {
		names, more = names[:4], " and others"
	}
	if len(names) == 0 {
		return "no host at all"
	}
	return fmt.Sprintf("%q%s", names, more)
}
