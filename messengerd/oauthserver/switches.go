package oauthserver

import (
	"fmt"
	"slices"
	"time"
)

// ExpiresIn says how expires_in is written (protocol, section 15).
type ExpiresIn string

// The forms of expires_in.
const (
	ExpiresInNumber ExpiresIn = "number"
	ExpiresInString ExpiresIn = "string"
	ExpiresInAbsent ExpiresIn = "absent"
)

// RefreshToken says what happens to refresh tokens (protocol, section 15).
type RefreshToken string

// What can happen to a refresh token.
const (
	// RefreshReplaced: each use gives a new one; the old one used again ends the consent.
	RefreshReplaced RefreshToken = "replaced"
	// RefreshKept: the answer repeats the one that was used.
	RefreshKept RefreshToken = "kept"
	// RefreshExpired: every use is refused with invalid_grant.
	RefreshExpired RefreshToken = "expired"
	// RefreshNotIssued: answers hold none; one issued earlier goes on working.
	RefreshNotIssued RefreshToken = "not issued"
)

// TokenAddress says how the token address behaves (protocol, section 15).
type TokenAddress string

// The behaviours of the token address.
const (
	TokenWorks    TokenAddress = "works"
	TokenBusy     TokenAddress = "429"
	TokenBroken   TokenAddress = "500"
	TokenNotJSON  TokenAddress = "not JSON"
	TokenGETOnly  TokenAddress = "GET only"
	TokenPOSTOnly TokenAddress = "POST only"
)

// Switches change the server's behaviour while it runs. The zero value of each
// field is its default.
type Switches struct {
	// ExpiresIn is "number" by default.
	ExpiresIn ExpiresIn `json:"expires_in" yaml:"expires_in"`
	// RefreshToken is "replaced" by default.
	RefreshToken RefreshToken `json:"refresh_token" yaml:"refresh_token"`
	// TokenAddress is "works" by default.
	TokenAddress TokenAddress `json:"token_address" yaml:"token_address"`
	// TokenLife is the life of the next access tokens; zero leaves the token
	// store as it is.
	TokenLife time.Duration `json:"token_life" yaml:"token_life"`
	// AuthorizeError, if set, is the error that the authorize address sends
	// back when the user allows the access: one of RFC 6749, 4.1.2.1.
	AuthorizeError string `json:"authorize_error" yaml:"authorize_error"`
	// TokenError, if set, is the error that the token address gives to every
	// well-formed request: one of RFC 6749, 5.2, or of 4.1.2.1 as some servers do.
	TokenError string `json:"token_error" yaml:"token_error"`
}

var (
	authorizeErrors = []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type",
		"invalid_scope", "server_error", "temporarily_unavailable",
	}
	tokenErrors = append([]string{"invalid_client", "invalid_grant", "unsupported_grant_type"}, authorizeErrors...)
)

// withDefaults fills in the defaults and refuses unknown values with an error
// that names the switch.
func (s Switches) withDefaults() (Switches, error) {
	s.ExpiresIn = orDefault(s.ExpiresIn, ExpiresInNumber)
	s.RefreshToken = orDefault(s.RefreshToken, RefreshReplaced)
	s.TokenAddress = orDefault(s.TokenAddress, TokenWorks)
	for _, check := range []error{
		oneOf("expires_in", s.ExpiresIn, ExpiresInNumber, ExpiresInString, ExpiresInAbsent),
		oneOf("refresh_token", s.RefreshToken, RefreshReplaced, RefreshKept, RefreshExpired, RefreshNotIssued),
		oneOf("token_address", s.TokenAddress, TokenWorks, TokenBusy, TokenBroken, TokenNotJSON, TokenGETOnly, TokenPOSTOnly),
		oneOf("authorize_error", s.AuthorizeError, append([]string{""}, authorizeErrors...)...),
		oneOf("token_error", s.TokenError, append([]string{""}, tokenErrors...)...),
	} {
		if check != nil {
			return s, check
		}
	}
	if s.TokenLife < 0 {
		return s, fmt.Errorf("switch token_life: %v is negative", s.TokenLife)
	}
	return s, nil
}

// Validate refuses unknown values with an error that names the switch.
func (s Switches) Validate() error {
	_, err := s.withDefaults()
	return err
}

func orDefault[T ~string](v, d T) T {
	if v == "" {
		return d
	}
	return v
}

func oneOf[T ~string](name string, v T, known ...T) error {
	if slices.Contains(known, v) {
		return nil
	}
	return fmt.Errorf("switch %s: unknown value %q, use one of %q", name, v, known)
}
