package session

import (
	"encoding/xml"
	"errors"
	"io"
	"net"
	"strings"

	"matrix-messenger/xmppside/xmltext"
)

// Cause is what ended a connection attempt or a stream.
type Cause string

// The causes. Those with a Condition are SASL, Bind and StreamError.
const (
	// Lost is the end of the connection, </stream:stream>, or a step that took too long.
	Lost Cause = "lost"
	// NoTLS: the service offered no STARTTLS.
	NoTLS Cause = "no-starttls"
	// TLSRefused: it answered <failure/> to it.
	TLSRefused Cause = "starttls-refused"
	// TLSBroken: the handshake broke off.
	TLSBroken Cause = "tls-handshake"
	// Certificate: the certificate was not accepted.
	Certificate Cause = "certificate"
	// NoMechanism: none of the offered SASL mechanisms can be used.
	NoMechanism Cause = "no-mechanism"
	// SASL: the service answered <failure/> to the sign-in.
	SASL Cause = "sasl"
	// Bind: the service answered an error to the resource binding.
	Bind Cause = "bind"
	// StreamError: the service sent a stream error.
	StreamError Cause = "stream"
	// Redirected: the service sent see-other-host; Target is its text, as sent.
	Redirected Cause = "redirect"
	// WrongHost: the stream's header comes from another domain.
	WrongHost Cause = "wrong-host"
	// Unexpected: the service sent something that this step of the sign-in does not allow.
	Unexpected Cause = "unexpected"
	// Malformed: what came is not XML, or XML that RFC 6120 11.1 forbids.
	Malformed Cause = "malformed"
	// Oversize: a stanza was too long, too deep, or took too long to arrive.
	Oversize Cause = "oversize"
	// Unanswered: a ping got no answer in time.
	Unanswered Cause = "unanswered"
	// Stuck: the service does not read what is sent.
	Stuck Cause = "stuck"
	// Refused: the owner's Handler returned an error.
	Refused Cause = "handler"
	// Closed: the stream was closed by its owner.
	Closed Cause = "closed"
)

// Failure is why an attempt or a stream ended.
type Failure struct {
	Cause Cause
	// Condition is the condition of a SASL, Bind or StreamError failure; "undefined-condition" (for SASL "") when there
	// was none that is known by its form.
	Condition string
	// Text is what the service said in words, at most a few hundred bytes on one line.
	Text string
	// Target is where a Redirected failure points to.
	Target string
	// Err is the error beneath, if any.
	Err error
}

// Error implements error.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(string(f.Cause))
	if f.Condition != "" {
		b.WriteString(" " + f.Condition)
	}
	if f.Cause == Redirected {
		b.WriteString(" to " + f.Target)
	}
	if f.Text != "" {
		b.WriteString(" (" + f.Text + ")")
	}
	if f.Err != nil {
		b.WriteString(": " + f.Err.Error())
	}
	return b.String()
}

// Unwrap gives the error beneath.
func (f *Failure) Unwrap() error { return f.Err }

// failure makes a Failure out of anything. One that is there already is kept, with its own cause.
func failure(cause Cause, err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Cause: cause, Err: err}
}

// readFailure classifies what reading XML from the connection gave.
func readFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) && syntax.Msg == "unexpected EOF" {
		return &Failure{Cause: Lost, Err: io.ErrUnexpectedEOF}
	}
	var network net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.ErrClosedPipe), errors.As(err, &network):
		return &Failure{Cause: Lost, Err: err}
	}
	if isXMLError(err) {
		return &Failure{Cause: Malformed, Err: err}
	}
	return &Failure{Cause: Lost, Err: err}
}

// maxText is how much of the service's words is kept.
const maxText = 300

func words(s string) string { return xmltext.Line(s, maxText) }

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}
