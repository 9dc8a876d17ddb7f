package messenger

import (
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"matrix-messenger/xmppside"
)

const (
	// Domain is the domain of Microsoft's own service.
	Domain = "messenger.live.com"
	// Name is what the service is called in texts.
	Name = "Messenger"
	// port is that of the fallback host (messenger-protocol.md 2.1).
	port = "5222"
)

// gatewayNames are what the certificates of Microsoft's gateway were for (messenger-protocol.md 2.2, rule 2).
var gatewayNames = []string{"*.gateway.messenger.live.com", "*.gateway.edge.messenger.live.com"}

// Options are the settings of design.md section 5 that concern the service itself.
type Options struct {
	// Domain is the service's domain [messenger.live.com].
	Domain string
	// Address is a host:port in place of the lookup.
	Address string
	// CertNames are names that certificates may have: nil means the default for the domain, an empty slice none.
	CertNames []string
	// Roots are the trusted certificate authorities; nil means the system's.
	Roots *x509.CertPool
	// Redirects is how many redirects one attempt follows; nil means 5.
	Redirects *int
	// Keepalive is the silence after which a ping is sent [50 s].
	Keepalive time.Duration
}

// NewProfile makes the profile. What is wrong with a setting is a *xmppside.SettingError.
func NewProfile(o Options) (xmppside.Profile, error) {
	if o.Domain == "" {
		o.Domain = Domain
	}
	names := o.CertNames
	if names == nil && strings.EqualFold(o.Domain, Domain) {
		names = gatewayNames
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return xmppside.Profile{}, err
		}
	}
	p := xmppside.Profile{
		Name: Name, Domain: strings.ToLower(o.Domain), Address: o.Address, CertNames: append([]string(nil), names...),
		Roots: o.Roots, Redirects: xmppside.DefaultRedirects, Keepalive: o.Keepalive, MaxStanza: xmppside.DefaultMaxStanza, MaxInbound: xmppside.DefaultMaxInbound,
		Authenticate: OAuth2, Directory: directory{strings.ToLower(o.Domain)},
	}
	if o.Redirects != nil {
		p.Redirects = *o.Redirects
	}
	if o.Address == "" {
		p.FallbackHost = net.JoinHostPort("xmpp."+p.Domain, port)
	}
	return p, nil
}

// checkName refuses accepted names that would match too much, or nothing.
func checkName(name string) error {
	base := strings.TrimPrefix(name, "*.")
	if strings.Contains(base, "*") || !strings.Contains(base, ".") && base != "localhost" || strings.ContainsAny(base, " /:@") {
		return &xmppside.SettingError{
			Setting: xmppside.SettingCertNames, Problem: fmt.Sprintf("%q is not a host name, and not *. before one", name),
		}
	}
	return nil
}
