package xmppside

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"matrix-messenger/xmppside/session"
)

// Profile is what one service is. The zero value is not usable; NewService checks it.
type Profile struct {
	// Name is the service's name in texts for people.
	Name string
	// Domain is the XMPP domain: the stream's "to", the TLS server name, and the domain of all JIDs.
	Domain string
	// Address is a host:port that replaces the lookup of the domain; empty for SRV.
	Address string
	// FallbackHost is the host:port that is tried after what SRV names.
	FallbackHost string
	// CertNames are certificate names that are accepted besides the domain; "*.x" stands for one label before x
	// (messenger-protocol.md 2.2, rule 3).
	CertNames []string
	// Roots are the trusted certificate authorities; nil means the system's.
	Roots *x509.CertPool
	// Redirects is how many see-other-host hops one attempt may take.
	Redirects int
	// Keepalive is the silence after which a ping is sent. Values above MaxKeepalive are lowered to it.
	Keepalive time.Duration
	// MaxStanza is the largest stanza written, MaxInbound the largest one read, in bytes.
	MaxStanza  int
	MaxInbound int
	// Authenticate makes the SASL step for what a TokenSource gives: an access token, or whatever else a service takes that
	// fits into a text. It may be asked with an empty one, for whether it would find its way of signing in.
	Authenticate func(token string) session.Authenticator
	// Directory says whom a user means; nil for a service that knows people by their JIDs alone.
	Directory Directory
}

// MaxKeepalive keeps a dead peer from going unnoticed for more than 90 s: 65 s of silence and 20 s for the answer.
const MaxKeepalive = 65 * time.Second

// Defaults of a Profile's numbers.
const (
	DefaultRedirects  = 5
	DefaultKeepalive  = session.DefaultKeepalive
	DefaultMaxStanza  = session.DefaultMaxStanza
	DefaultMaxInbound = session.DefaultMaxInbound
)

// minStanza is what every server takes (RFC 6120, 13.12); less would leave no room for a text.
const minStanza = 10000

// FindsByEmail says whether people are found by their e-mail addresses too.
func (p Profile) FindsByEmail() bool {
	_, jids := p.Directory.(jidsOnly)
	return p.Directory != nil && !jids
}

// check fills in defaults and refuses what cannot work.
func (p *Profile) check() error {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(p.Domain, "."))
	if err != nil || ascii == "" {
		return &SettingError{SettingDomain, fmt.Sprintf("%q is not a domain name", p.Domain)}
	}
	p.Domain = strings.ToLower(ascii)
	if p.Authenticate == nil {
		return errors.New("the profile does not say how to sign in")
	}
	if p.Name == "" {
		p.Name = p.Domain
	}
	if p.Directory == nil {
		p.Directory = jidsOnly{}
	}
	if p.Redirects < 0 {
		return &SettingError{SettingRedirects, "it is negative"}
	}
	if p.Keepalive <= 0 {
		p.Keepalive = DefaultKeepalive
	}
	p.Keepalive = min(p.Keepalive, MaxKeepalive)
	if p.MaxStanza <= 0 {
		p.MaxStanza = DefaultMaxStanza
	}
	if p.MaxStanza < minStanza {
		return fmt.Errorf("stanzas of %d bytes are too short; every server takes %d", p.MaxStanza, minStanza)
	}
	if p.MaxInbound <= 0 {
		p.MaxInbound = DefaultMaxInbound
	}
	if _, err := parseTarget(p.Address); p.Address != "" && err != nil {
		return &SettingError{SettingAddress, fmt.Sprintf("%q is %v", p.Address, err)}
	}
	if _, err := parseTarget(p.FallbackHost); p.FallbackHost != "" && err != nil {
		return fmt.Errorf("the fallback host %q is %w", p.FallbackHost, err)
	}
	return nil
}
