package oauth

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Config says where and as whom to sign in: the section network.oauth of the
// configuration.
type Config struct {
	// Service is what pages call the service that is signed in to.
	Service string
	// ClientID is the application's ID.
	ClientID string
	// ClientSecret is empty for a desktop application.
	ClientSecret string
	// AuthorizeURL is the page that the user opens.
	AuthorizeURL string
	// TokenURL is where codes and refresh tokens are exchanged.
	TokenURL string
	// RedirectURL is where the user is sent back to: the desktop address, or
	// the bridge's own public address followed by CallbackPath.
	RedirectURL string
	// Scopes are asked for at sign-in.
	Scopes []string
	// GetFallback tries GET on the token address when POST does not work there.
	GetFallback bool
	// HTTPClient trusts the configured roots; nil means http.DefaultTransport.
	// Its redirect policy is not used: the token address never redirects.
	HTTPClient *http.Client
}

// ConfigError is a setting that cannot work.
type ConfigError struct {
	// Key is the setting's name below network.oauth.
	Key string
	// Problem says what is wrong and what to do, as the rest of a sentence.
	Problem string
}

func (e *ConfigError) Error() string { return e.Key + ": " + e.Problem }

// Validate finds the first setting that cannot work. The error is a *ConfigError.
func (c Config) Validate() error {
	if c.ClientID == "" {
		return &ConfigError{"client_id", "is empty; set the client ID that your application was registered with"}
	}
	if strings.TrimSpace(c.ClientID) != c.ClientID {
		return &ConfigError{"client_id", "begins or ends with white space; remove it"}
	}
	if err := checkSecureURL("authorize_url", c.AuthorizeURL); err != nil {
		return err
	}
	if err := checkSecureURL("token_url", c.TokenURL); err != nil {
		return err
	}
	if c.RedirectURL == "callback" {
		return &ConfigError{"redirect_url", "is \"callback\", but the bridge has no public address; set appservice.public_address"}
	}
	redirect, err := url.Parse(c.RedirectURL)
	if err != nil || redirect.Host == "" || redirect.Scheme != "https" && redirect.Scheme != "http" {
		return &ConfigError{"redirect_url", "must be \"callback\" or a whole address that begins with https://"}
	}
	if redirect.Fragment != "" || redirect.User != nil {
		return &ConfigError{"redirect_url", "must have no fragment (#) and no user name"}
	}
	if len(c.Scopes) == 0 {
		return &ConfigError{"scopes", "is empty; name what the service needs to let somebody in, and to keep them signed in"}
	}
	for _, scope := range c.Scopes {
		if !isScope(scope) {
			return &ConfigError{"scopes", fmt.Sprintf("%q is not a scope; write one name per entry, without spaces", scope)}
		}
	}
	return nil
}

// checkSecureURL allows https anywhere and plain http on this machine, because
// tokens must not cross a network unencrypted (section 4.1).
func checkSecureURL(key, address string) error {
	if address == "" {
		return &ConfigError{key, "is empty; set the address that the service's operator names"}
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return &ConfigError{key, "must be a whole address that begins with https://"}
	case u.Fragment != "" || u.User != nil:
		return &ConfigError{key, "must have no fragment (#) and no user name"}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return &ConfigError{key, "must begin with https://; plain http:// is only allowed for this machine (localhost)"}
	}
	return nil
}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// isScope follows RFC 6749, 3.3, without the comma, which this service took as
// a separator (section 4.2).
func isScope(text string) bool {
	for _, r := range text {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' || r == ',' {
			return false
		}
	}
	return text != ""
}

// String describes the settings without the client secret.
func (c Config) String() string {
	return fmt.Sprintf("oauth.Config{ClientID: %q, ClientSecret: %s, AuthorizeURL: %q, TokenURL: %q, RedirectURL: %q, Scopes: %q, GetFallback: %t}",
		c.ClientID, presence(c.ClientSecret), c.AuthorizeURL, c.TokenURL, c.RedirectURL, c.Scopes, c.GetFallback)
}

// Format does as String for every verb.
func (c Config) Format(f fmt.State, _ rune) { printRedacted(f, c.String()) }

// MarshalJSON leaves out the client secret too.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// presence says whether there is a secret, and nothing else of it.
func presence(secret string) string {
	if secret == "" {
		return "none"
	}
	return "redacted"
}

var (
	_ fmt.Formatter = Config{}
	_ fmt.Formatter = Tokens{}
	_ fmt.Formatter = Pasted{}
	_ fmt.Formatter = (*Attempt)(nil)
	_ fmt.Formatter = (*Keeper)(nil)
)

// printRedacted writes a value's description for any verb.
func printRedacted(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
