// Package jidlookup finds the JID that belongs to an e-mail address, as the Messenger service offers it
// (http://messenger.live.com/xmpp/jidlookup; messenger-protocol.md 7). A contact is added by JID; one added by its
// e-mail address never shows presence.
//
// There is no way back from a JID to an address: whoever asks stores the address. ParseAddress tells an address from a JID,
// which needs no look-up: what ends in the service's own domain.
package jidlookup

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/iq"
)

// NS is the namespace of <getjid/>, and the feature by which a service lists it.
const NS = "http://messenger.live.com/xmpp/jidlookup"

// The ways in which a look-up ends without a JID; to be tested with errors.Is.
var (
	// ErrNotFound says that the service knows no account with this address.
	ErrNotFound = errors.New("there is no Messenger account for this address")
	// ErrMalformed says that the address cannot be asked for: it is no e-mail address, or none that fits into a JID. The
	// service was not asked.
	ErrMalformed = errors.New("this is not an e-mail address that Messenger can look up")
	// ErrFailed says that the service did not answer the question: an error, silence, an answer that cannot be read, or
	// the end of the session. Later it may.
	ErrFailed = errors.New("looking up the address failed")
)

// maxAddress is the longest address by RFC 5321 4.5.3.1.3, without its angle brackets.
const maxAddress = 254

// Normalize makes an address ready to be asked for and to be stored: trimmed and in lower case. It returns ErrMalformed
// for what can be no address of an account; such are found by nobody, so nobody is asked (messenger-protocol.md 7).
func Normalize(address string) (string, error) {
	address = strings.ToLower(strings.TrimSpace(address))
	if len(address) > maxAddress {
		return "", ErrMalformed
	}
	if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address || parsed.Name != "" {
		return "", ErrMalformed
	}
	// As a JID: this refuses ' & / : and the like before the @, which an e-mail address may have.
	parsed, err := jid.Parse(address)
	if err != nil || parsed.Localpart() == "" || parsed.Resourcepart() != "" || strings.ContainsAny(parsed.Localpart(), `"&'/:<>@ `) {
		return "", ErrMalformed
	}
	return address, nil
}

type answer struct {
	JID string `xml:"http://messenger.live.com/xmpp/jidlookup jid"`
}

// Lookup asks the service for the JID of an address. The error is ErrNotFound, ErrMalformed or ErrFailed; the cause of
// the latter is wrapped beside it.
func Lookup(ctx context.Context, r iq.Requester, address string) (jid.JID, error) {
	address, err := Normalize(address)
	if err != nil {
		return jid.JID{}, err
	}
	var a answer
	err = r.Request(ctx, iq.Request{Type: iq.Get, To: address, Payload: []byte(`<getjid xmlns="` + NS + `"/>`)}, &a)
	switch {
	case iq.IsError(err, stanza.ItemNotFound, stanza.JIDMalformed):
		return jid.JID{}, ErrNotFound
	case err != nil:
		return jid.JID{}, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	text := strings.TrimSpace(a.JID)
	if text == "" {
		return jid.JID{}, ErrNotFound
	}
	found, err := jid.Parse(text)
	if err != nil || found.Localpart() == "" {
		return jid.JID{}, fmt.Errorf("%w: the service's answer is not a JID of an account", ErrFailed)
	}
	return found.Bare(), nil
}
