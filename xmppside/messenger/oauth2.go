package messenger

import (
	"crypto/tls"
	"errors"
	"slices"

	"matrix-messenger/xmppside/session"
)

// Mechanism is the SASL mechanism of the service. The documentation has a space behind it, the wire had none
// (messenger-protocol.md 3.2).
const Mechanism = "X-MESSENGER-OAUTH2"

var errChallenge = errors.New("the service sent a challenge, which " + Mechanism + " does not have")

// OAuth2 signs in with an access token (messenger-protocol.md 3.1): the token as it is, once, is the whole text of
// <auth/>. There is no user name, and no challenge.
func OAuth2(token string) session.Authenticator { return oauth2(token) }

type oauth2 string

// Start implements session.Authenticator.
func (t oauth2) Start(offered []string, _ tls.ConnectionState) (mechanism, text string, ok bool) {
	return Mechanism, string(t), slices.Contains(offered, Mechanism)
}

// Next implements session.Authenticator: any challenge is a protocol error.
func (oauth2) Next(string) (string, error) { return "", errChallenge }

// Finish implements session.Authenticator: success proves nothing, the certificate did.
func (oauth2) Finish(string) error { return nil }

// String keeps the token out of every text that this value is printed into.
func (oauth2) String() string { return "token" }

// GoString does the same for %#v.
func (oauth2) GoString() string { return "token" }
