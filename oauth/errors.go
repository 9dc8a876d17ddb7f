package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Class says what to do about an error (messenger-protocol.md, 12.3).
type Class int

const (
	// Transient: the service could not be reached or is not well. Keep all
	// tokens and try again later.
	Transient Class = iota + 1
	// LoginNeeded: the refresh token is gone or refused. The user must sign in anew.
	LoginNeeded
	// StartAgain: this sign-in cannot be finished; a new one can.
	StartAgain
	// Admin: the configuration does not fit the service, or the service is a
	// wrong one. Only the administrator can help.
	Admin
	// Refused: the user, at the consent page, said no.
	Refused
	// BadInput: what the user pasted is not understood; the same sign-in can go on.
	BadInput
)

// String gives the class in a word, for logs.
func (c Class) String() string {
	switch c {
	case Transient:
		return "transient"
	case LoginNeeded:
		return "login needed"
	case StartAgain:
		return "start again"
	case Admin:
		return "admin"
	case Refused:
		return "refused"
	case BadInput:
		return "bad input"
	default:
		return fmt.Sprintf("Class(%d)", int(c))
	}
}

// Error is any failure of this package's requests. It never holds a token, a
// code or an address with a query.
type Error struct {
	// Class says what to do.
	Class Class
	// Code is the OAuth error code that the service sent, if it sent one.
	Code string
	// Status is the HTTP status of the answer, if there was one.
	Status int
	// RetryAfter is how long the service asked to be left alone, zero if it did not say.
	RetryAfter time.Duration

	doing  string // "refresh", "code exchange", ...
	detail string // for logs and administrators
	human  string // for the user
	cause  error  // a context's or a Store function's error only
}

// Error describes the failure for logs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("oauth: " + e.doing + ": ")
	switch {
	case e.Code != "":
		b.WriteString(e.Code)
	case e.detail != "":
		b.WriteString(e.detail)
	default:
		b.WriteString(e.Class.String())
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.Code != "" && e.detail != "" {
		b.WriteString(": " + e.detail)
	}
	return b.String()
}

// Unwrap gives the context's error if the caller's context ended the request,
// and the Store function's error if that was the cause.
func (e *Error) Unwrap() error { return e.cause }

// HumanError is a plain sentence for the user that says what to do.
func (e *Error) HumanError() string {
	if e.human != "" {
		return e.human
	}
	switch e.Class {
	case Transient:
		return "The sign-in service cannot be reached or has a problem at the moment. Please try again in a few minutes."
	case LoginNeeded:
		return "Your sign-in is no longer valid. Please log in again; your chats are kept."
	case StartAgain:
		return "The sign-in could not be finished. Please start the login again."
	case Refused:
		return "The access was not allowed on the sign-in page, so nothing was connected. To connect, start the login again and choose to allow it."
	case BadInput:
		return "That could not be understood. Please paste the whole address of the last page."
	default:
		text := "The sign-in service does not accept this bridge's settings"
		if e.Code != "" {
			text += " (" + e.Code + ")"
		}
		return text + ". Please tell the administrator of your bridge."
	}
}

// ClassOf gives the class of an error that this package made, or zero.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return 0
}

// classOfCode is the table of section 12.3. onCode says that a code was
// exchanged; else a refresh token was.
func classOfCode(code string, onCode bool) Class {
	switch code {
	case "server_error", "temporarily_unavailable":
		return Transient
	case "invalid_grant":
		if onCode {
			return StartAgain
		}
		return LoginNeeded
	case "access_denied":
		return Refused
	default:
		// invalid_client, unauthorized_client, invalid_scope, invalid_request,
		// unsupported_grant_type, unsupported_response_type, and whatever a
		// service may add: trying again without a change would not help.
		return Admin
	}
}

// cleanCode lets only what looks like an error code into errors and pages.
func cleanCode(code string) string {
	if len(code) > 64 {
		return "unknown_error"
	}
	for _, r := range code {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' {
			return "unknown_error"
		}
	}
	return code
}

// maxDetail bounds text from the service in errors, in bytes.
const maxDetail = 200

// scrub makes text from outside fit for an error: the given secrets are removed
// in case the service or a library repeats them, as is everything unprintable.
func scrub(text string, secrets []string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ToLower(url.QueryEscape(secret))} {
			text = strings.ReplaceAll(text, form, "[removed]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxDetail {
		text = text[:maxDetail] + "..."
	}
	return text
}

// networkError makes an Error of a failed request. The *url.Error around it
// holds the whole address and is taken off.
func networkError(ctx context.Context, doing string, err error, secrets []string) *Error {
	// The client's own time limit is no stop of the caller's, so ctx is asked.
	e := &Error{Class: Transient, doing: doing, cause: ctx.Err()}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	e.detail = scrub(err.Error(), secrets)
	return e
}
