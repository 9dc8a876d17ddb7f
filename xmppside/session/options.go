package session

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"time"
)

// Authenticator is one SASL exchange, made anew for each attempt. Its methods are called in order by one goroutine, and
// only after the certificate has been accepted.
type Authenticator interface {
	// Start picks one of the offered mechanisms (trimmed) and gives the text of <auth/>, as it is written before XML
	// escaping. ok is false when none of them will do.
	Start(offered []string, state tls.ConnectionState) (mechanism, text string, ok bool)
	// Next answers a challenge's text with the text of <response/>. An error aborts the exchange.
	Next(challenge string) (response string, err error)
	// Finish checks the text of <success/>. An error means that the service has not proved who it is.
	Finish(text string) error
}

// Options are what a stream needs to know. All fields without a default must be set.
type Options struct {
	// Domain is the "to" of the stream, in ASCII.
	Domain string
	// Resource is asked for at bind; empty lets the service choose.
	Resource string
	// TLS must check the certificate itself or name the server to check it against. It is not changed, and one with
	// DynamicRecordSizingDisabled and a MinVersion of TLS 1.2 at least is shared instead of cloned.
	TLS *tls.Config
	// Authenticator signs in.
	Authenticator Authenticator
	// StepTimeout bounds each step of the sign-in [30 s], and the time in which one stanza must arrive as a whole.
	StepTimeout time.Duration
	// RequestTimeout bounds a request whose context has no deadline [30 s].
	RequestTimeout time.Duration
	// WriteTimeout bounds each write [30 s].
	WriteTimeout time.Duration
	// CloseTimeout bounds the wait for the other side's closing tag [5 s].
	CloseTimeout time.Duration
	// Keepalive is the silence, of either side, after which a ping is sent [DefaultKeepalive]; up to a fifth less, at
	// random.
	Keepalive time.Duration
	// PingTimeout is how long its answer may take [20 s].
	PingTimeout time.Duration
	// MaxStanza is the longest stanza that is written [DefaultMaxStanza].
	MaxStanza int
	// MaxInbound is the longest stanza that is read [DefaultMaxInbound].
	MaxInbound int
}

// Defaults of Options that a service's profile takes over.
const (
	// DefaultKeepalive is shorter than the time after which common gateways forget a connection.
	DefaultKeepalive = 50 * time.Second
	// DefaultMaxStanza is what the strictest service takes, in bytes: Messenger's reads one TLS record as one document
	// (messenger-protocol.md 5.5).
	DefaultMaxStanza = 16000
	// DefaultMaxInbound leaves room for a vCard with a photo, in bytes.
	DefaultMaxInbound = 1 << 20
)

func (o *Options) defaults() {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&o.StepTimeout, 30*time.Second)
	set(&o.RequestTimeout, 30*time.Second)
	set(&o.WriteTimeout, 30*time.Second)
	set(&o.CloseTimeout, 5*time.Second)
	set(&o.Keepalive, DefaultKeepalive)
	set(&o.PingTimeout, 20*time.Second)
	if o.MaxStanza <= 0 {
		o.MaxStanza = DefaultMaxStanza
	}
	if o.MaxInbound <= 0 {
		o.MaxInbound = DefaultMaxInbound
	}
}

// Stanza is one inbound element, valid during HandleStanza only.
type Stanza struct {
	// Start is its start tag, with namespaces resolved.
	Start xml.StartElement
	r     *xmlReader
	done  bool
}

// Decode reads the element into a struct. At most once.
func (s *Stanza) Decode(into any) error {
	s.done = true
	if err := s.r.dec.DecodeElement(into, &s.Start); err != nil {
		return readFailure(err)
	}
	return nil
}

// Attr gives one of the element's own attributes, empty when it is missing.
func (s *Stanza) Attr(name string) string { return attr(s.Start, name) }

// Handler takes the stanzas that are not answers to own requests, on the reading goroutine, in order.
type Handler interface {
	// HandleStanza takes a message or presence, of whatever type. An error ends the stream.
	HandleStanza(ctx context.Context, s *Stanza) error
	// HandleSet takes a roster push or another "set" with a payload: s is its first child, which may be decoded.
	// trusted says that the sender may speak for the account. The condition is what the request is answered with,
	// empty for a plain result. An error ends the stream.
	HandleSet(ctx context.Context, from string, trusted bool, s *Stanza) (condition string, err error)
}

// attr gives an attribute without a namespace.
func attr(start xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
