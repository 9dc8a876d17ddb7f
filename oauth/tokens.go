package oauth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/rs/zerolog"
)

// Tokens are what a sign-in gives. However they are printed, logged or encoded,
// the secrets are left out; to store them, seal the fields one by one.
type Tokens struct {
	// Access is the access token, opaque, as the XMPP service wants it.
	Access string
	// Refresh is the refresh token, empty if there is none.
	Refresh string
	// Expires is when the access token does; the zero time means unknown.
	Expires time.Time
	// Scope is what the user granted; empty means unknown.
	Scope []string
}

// String describes the tokens without their secrets.
func (t Tokens) String() string {
	expires := "unknown"
	if !t.Expires.IsZero() {
		expires = t.Expires.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("tokens(access %s, refresh %s, expires %s, scope %q)", presence(t.Access), presence(t.Refresh), expires, t.Scope)
}

// Format does as String for every verb, so that %#v shows no more than %v.
func (t Tokens) Format(f fmt.State, _ rune) { printRedacted(f, t.String()) }

// MarshalJSON describes the tokens without their secrets.
func (t Tokens) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// MarshalText describes the tokens without their secrets, for YAML and others.
func (t Tokens) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue describes the tokens without their secrets, for log/slog.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalZerologObject describes the tokens without their secrets, for zerolog.
func (t Tokens) MarshalZerologObject(e *zerolog.Event) {
	e.Bool("has_access", t.Access != "").Bool("has_refresh", t.Refresh != "").Strs("scope", t.Scope)
	if !t.Expires.IsZero() {
		e.Time("expires", t.Expires)
	}
}
