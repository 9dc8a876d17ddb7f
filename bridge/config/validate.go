package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/oauth"
)

// Validate checks every value and reports all that is wrong, each with its key's path.
func (c *Config) Validate() error {
	var problems []error
	check := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	check(c.checkService())
	check(c.OAuth.check())
	check(oneOf("rooms.at_login", c.Rooms.AtLogin, RoomsNone, RoomsHistory, RoomsAll))
	check(oneOf("presence.when_offline", c.Presence.WhenOffline, OfflineAway, OfflineAvailable, OfflineInvisible))
	check(oneOf("typing", c.Typing, TypingAuto, TypingOn, TypingOff))
	check(oneOf("reactions", c.Reactions, AsNote, Refuse))
	check(oneOf("redactions", c.Redactions, AsNote, Refuse))
	check(oneOf("uncertain", c.Uncertain, UncertainResend, UncertainReport))
	check(atLeast("presence.grace", c.Presence.Grace, 0))
	check(atLeast("expire", c.Expire, time.Minute))
	check(atLeast("limits.tell_waiting", c.Limits.TellWaiting, time.Second))
	check(between("archive.count", c.Archive.Count, 1, 1000))
	check(between("limits.matrix_inbox", c.Limits.MatrixInbox, 100, 100_000_000))
	check(between("limits.requests", c.Limits.Requests, 1, 1000))
	check(between("limits.rooms_per_minute", c.Limits.RoomsPerMinute, 1, 10_000))
	if c.SecretKey == "" || c.SecretKey == KeyGenerate {
		check(bad("secret_key", "must be set; make one with: openssl rand -hex 32"))
	} else if len(c.SecretKey) < 16 {
		check(bad("secret_key", "is shorter than 16 characters; make one with: openssl rand -hex 32"))
	}
	if c.Metrics.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Metrics.Listen); err != nil {
			check(bad("metrics.listen", "%q is not host:port, such as 127.0.0.1:29391", c.Metrics.Listen))
		}
	}
	names, err := parseNames(c.DisplaynameTemplate)
	check(err)
	c.names = names
	return errors.Join(problems...)
}

func (c *Config) checkService() error {
	var problems []error
	if d, err := jid.New("", c.Domain, ""); c.Domain == "" || err != nil || d.Domainpart() == "" || strings.ContainsAny(c.Domain, "@/: ") {
		problems = append(problems, bad("domain", "%q is not a domain name, such as messenger.live.com", c.Domain))
	}
	if c.Address != "" {
		if host, port, err := net.SplitHostPort(c.Address); err != nil || host == "" || port == "" {
			problems = append(problems, bad("address", "%q is not host:port, such as localhost:5222; leave it empty to look the service up in the DNS", c.Address))
		}
	}
	if _, err := c.TLS.Roots(); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems,
		between("redirects", c.Redirects, 0, 20),
		between("connects_per_second", c.ConnectsPerSecond, 1, 100_000),
		atLeast("keepalive", c.Keepalive, time.Second))
	return errors.Join(problems...)
}

// Roots is the system's trusted authorities plus those of ca_file; nil, the system's alone, when ca_file is empty.
func (t TLS) Roots() (*x509.CertPool, error) {
	if t.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, bad("tls.ca_file", "cannot be read: %v", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without roots of its own still has the configured ones
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, bad("tls.ca_file", "%s holds no certificate in PEM form", t.CAFile)
	}
	return pool, nil
}

// Client is the section in the terms of package oauth. The addresses are trusted by the given roots; nil means the system's.
func (o OAuth) Client(roots *x509.CertPool) oauth.Config {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return oauth.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, AuthorizeURL: o.AuthorizeURL, TokenURL: o.TokenURL,
		RedirectURL: o.RedirectURL, Scopes: o.Scopes, GetFallback: o.GetFallback, HTTPClient: &http.Client{Transport: transport},
	}
}

func (o OAuth) check() error {
	if o.ClientID == "" {
		return nil // the flow `oauth` is not offered then
	}
	settings := o.Client(nil)
	if o.RedirectURL == RedirectCallback {
		settings.RedirectURL = "https://localhost/" // the bridge's public address is known only when it starts
	}
	var wrong *oauth.ConfigError
	if err := settings.Validate(); errors.As(err, &wrong) {
		return bad("oauth."+wrong.Key, "%s", wrong.Problem)
	} else if err != nil {
		return err
	}
	return nil
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return bad(key, "%q is not one of: %s", value, strings.Join(allowed, ", "))
}

func between(key string, value, low, high int) error {
	if value >= low && value <= high {
		return nil
	}
	return bad(key, "%d must be between %d and %d", value, low, high)
}

func atLeast(key string, value Span, low time.Duration) error {
	length, err := time.ParseDuration(string(value))
	switch {
	case err != nil:
		return bad(key, "%q is not a valid value: %s", string(value), errSpan)
	case length < low:
		return bad(key, "%s must be at least %s", length, low)
	}
	return nil
}

// Person is what displayname_template may use.
type Person struct {
	Name  string // the display name known for the contact, never empty
	JID   string // the bare JID as the service spells it
	Email string // the e-mail address the contact was added by, or empty
}

type nameTemplate struct{ *template.Template }

func parseNames(text string) (*nameTemplate, error) {
	t, err := template.New("displayname_template").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, bad("displayname_template", "is not a valid template: %v", err)
	}
	var out strings.Builder
	if err = t.Execute(&out, Person{Name: "Mary", JID: "12345@chat.example", Email: "mary@contoso.com"}); err != nil {
		return nil, bad("displayname_template", "cannot be used: %v", err)
	}
	if strings.TrimSpace(out.String()) == "" {
		return nil, bad("displayname_template", "makes an empty name")
	}
	return &nameTemplate{t}, nil
}

// Displayname is how a contact is called in Matrix. A name that comes out empty falls back to the plain one.
func (c *Config) Displayname(p Person) string {
	if c.names == nil {
		return p.Name
	}
	var out strings.Builder
	if err := c.names.Execute(&out, p); err != nil {
		return p.Name
	}
	if name := strings.TrimSpace(out.String()); name != "" {
		return name
	}
	return p.Name
}

// String keeps secrets out of logs.
func (c *Config) String() string { return fmt.Sprintf("network configuration for %s", c.Domain) }
