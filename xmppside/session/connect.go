package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"net"
	"strings"
	"time"

	"matrix-messenger/xmppside/xmltext"
)

var (
	errInjected   = errors.New("there were bytes behind <proceed/>, before the encryption began")
	errUnexpected = errors.New("the service sent something that does not belong here")
)

// CertificateError marks errors of Options.TLS.VerifyConnection that mean "this certificate is not accepted", as against
// a handshake that breaks off.
type CertificateError struct{ Err error }

// Error implements error.
func (e *CertificateError) Error() string { return "certificate refused: " + e.Err.Error() }

// Unwrap gives the reason.
func (e *CertificateError) Unwrap() error { return e.Err }

// Offer is what a service offers before anybody has signed in.
type Offer struct {
	// Mechanisms are the SASL mechanisms, trimmed.
	Mechanisms []string
	// TLS is the state of the encrypted connection.
	TLS tls.ConnectionState
}

// negotiation is a connection on its way to a Stream. One goroutine.
type negotiation struct {
	opts Options
	conn *Conn
	in   *xmlReader
	tls  tls.ConnectionState
}

// Connect takes a new connection to a signed-in stream, or returns a *Failure and closes it. The connection is the
// stream's from then on.
func Connect(ctx context.Context, raw net.Conn, opts Options) (*Stream, error) {
	opts.defaults()
	n := &negotiation{opts: opts}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // ends whatever step is waiting
	s, err := n.connect(ctx, raw)
	if !stop() && err == nil {
		// Cancelled in the last moment: the connection is closed already.
		s.Close()
		err = failure(Lost, ctx.Err())
	}
	if err != nil {
		n.goodbye(err)
		_ = raw.Close() // the failure that matters is in err
		return nil, failure(Lost, err)
	}
	s.startKeepalive()
	return s, nil
}

// Inspect goes as far as the offer of SASL mechanisms, and closes the connection. It never sends anything secret.
func Inspect(ctx context.Context, raw net.Conn, opts Options) (Offer, error) {
	opts.defaults()
	n := &negotiation{opts: opts}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	defer raw.Close() //nolint:errcheck // nothing was promised
	features, err := n.secure(ctx, raw)
	if err != nil {
		n.goodbye(err)
		return Offer{}, failure(Lost, err)
	}
	n.goodbye(nil)
	return Offer{Mechanisms: features.mechanisms(), TLS: n.tls}, nil
}

func (n *negotiation) connect(ctx context.Context, raw net.Conn) (*Stream, error) {
	features, err := n.secure(ctx, raw)
	if err != nil {
		return nil, err
	}
	if err := n.authenticate(features); err != nil {
		return nil, err
	}
	if features, err = n.open(); err != nil {
		return nil, err
	}
	address, err := n.bind(features)
	if err != nil {
		return nil, err
	}
	if err := n.session(features); err != nil {
		return nil, err
	}
	n.conn.setIdleDeadline(time.Time{})
	s := &Stream{
		opts: n.opts, conn: n.conn, raw: raw, in: n.in, jid: address,
		bare:   strings.ToLower(address.Bare().String()),
		closer: make(chan struct{}), done: make(chan struct{}),
	}
	return s, nil
}

// secure opens the stream, encrypts it, and opens it again.
func (n *negotiation) secure(ctx context.Context, raw net.Conn) (features, error) {
	n.conn = newConn(raw, n.opts.MaxInbound, n.opts.StepTimeout)
	offered, err := n.open()
	if err != nil {
		return features{}, err
	}
	if offered.StartTLS == nil {
		return features{}, &Failure{Cause: NoTLS}
	}
	if err := n.startTLS(ctx, raw); err != nil {
		return features{}, err
	}
	return n.open()
}

// step begins a step: it has a deadline of its own.
func (n *negotiation) step() {
	deadline := time.Now().Add(n.opts.StepTimeout)
	n.conn.setIdleDeadline(deadline)
	_ = n.conn.SetWriteDeadline(deadline) // a closed connection says so at the next write
}

func (n *negotiation) write(b []byte) error {
	if len(b) > n.opts.MaxStanza {
		return &Failure{Cause: Unexpected, Err: ErrTooLong}
	}
	if _, err := n.conn.Write(b); err != nil {
		// What the service said before it closed is worth more than "broken pipe", but its words may be unread. The
		// next read finds them, or the same end.
		if isTimeout(err) {
			return &Failure{Cause: Stuck, Err: err}
		}
		n.conn.setIdleDeadline(time.Now().Add(time.Second))
	}
	return nil
}

// features are what the service offers.
type features struct {
	StartTLS   *struct{} `xml:"urn:ietf:params:xml:ns:xmpp-tls starttls"`
	Mechanisms *struct {
		Mechanism []string `xml:"urn:ietf:params:xml:ns:xmpp-sasl mechanism"`
	} `xml:"urn:ietf:params:xml:ns:xmpp-sasl mechanisms"`
	Bind    *struct{} `xml:"urn:ietf:params:xml:ns:xmpp-bind bind"`
	Session *struct {
		Optional *struct{} `xml:"urn:ietf:params:xml:ns:xmpp-session optional"`
	} `xml:"urn:ietf:params:xml:ns:xmpp-session session"`
}

// mechanisms gives the SASL mechanisms, trimmed: the documentation has a space behind the name (messenger-protocol.md
// 3.2).
func (f features) mechanisms() []string {
	if f.Mechanisms == nil {
		return nil
	}
	var names []string
	for _, name := range f.Mechanisms.Mechanism {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// open sends a stream header and reads the service's header and features.
func (n *negotiation) open() (features, error) {
	n.step()
	b := append([]byte(nil), `<?xml version='1.0'?><stream:stream`...)
	b = xmltext.AppendAttr(b, "to", n.opts.Domain)
	b = append(b, ` version='1.0' xml:lang='en' xmlns='`+nsClient+`' xmlns:stream='`+nsStream+`'>`...)
	if err := n.write(b); err != nil {
		return features{}, err
	}
	in, h, err := newXMLReader(n.conn)
	if err != nil {
		return features{}, err
	}
	n.in = in
	start, err := n.next()
	if err != nil {
		// A stream error explains more than the header of another domain.
		return features{}, err
	}
	if from := strings.TrimSuffix(h.from, "."); from != "" && !strings.EqualFold(from, n.opts.Domain) {
		return features{}, &Failure{Cause: WrongHost, Text: words(h.from)}
	}
	if start.Name != (xml.Name{Space: nsStream, Local: "features"}) && start.Name != (xml.Name{Space: "stream", Local: "features"}) {
		return features{}, n.unexpected(start)
	}
	var f features
	err = n.in.decode(start, &f)
	return f, err
}

// next gives the next element; a stream error is a failure.
func (n *negotiation) next() (xml.StartElement, error) {
	start, err := n.in.next()
	if err != nil {
		return start, err
	}
	if isStreamError(start.Name) {
		return start, n.in.streamError(start)
	}
	return start, nil
}

func (n *negotiation) unexpected(start xml.StartElement) error {
	return &Failure{Cause: Unexpected, Text: words("<" + start.Name.Local + "/>"), Err: errUnexpected}
}

// startTLS encrypts the connection (RFC 6120, 5).
func (n *negotiation) startTLS(ctx context.Context, raw net.Conn) error {
	n.step()
	if err := n.write([]byte(`<starttls xmlns='` + nsTLS + `'/>`)); err != nil {
		return err
	}
	start, err := n.next()
	if err != nil {
		return err
	}
	switch start.Name {
	case xml.Name{Space: nsTLS, Local: "proceed"}:
	case xml.Name{Space: nsTLS, Local: "failure"}:
		return &Failure{Cause: TLSRefused}
	default:
		return n.unexpected(start)
	}
	if err := n.in.skip(); err != nil {
		return err
	}
	if n.conn.Buffered() > 0 {
		return &Failure{Cause: Unexpected, Err: errInjected}
	}
	beneath := raw
	if g := gateTo(raw); g != nil {
		beneath = g
	}
	encrypted := tls.Client(beneath, suited(n.opts.TLS))
	n.step()
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return handshakeFailure(err)
	}
	n.conn = newConn(encrypted, n.opts.MaxInbound, n.opts.StepTimeout)
	n.tls = encrypted.ConnectionState()
	return nil
}

// suited is a configuration with what a stream needs. One that has it is used as it is, so that many streams share it.
func suited(config *tls.Config) *tls.Config {
	if config.DynamicRecordSizingDisabled && config.MinVersion >= tls.VersionTLS12 {
		return config
	}
	config = config.Clone()
	// One stanza is one write and one record (messenger-protocol.md 5.5).
	config.DynamicRecordSizingDisabled = true
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return config
}

func handshakeFailure(err error) error {
	var refused *CertificateError
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	if errors.As(err, &refused) || errors.As(err, &verification) || errors.As(err, &unknown) ||
		errors.As(err, &invalid) || errors.As(err, &name) {
		return &Failure{Cause: Certificate, Err: err}
	}
	return &Failure{Cause: TLSBroken, Err: err}
}

// goodbye says so in the middle of a sign-in, if there is anybody to hear it.
func (n *negotiation) goodbye(err error) {
	if n.conn == nil || n.in == nil {
		return
	}
	var f *Failure
	if errors.As(err, &f) {
		switch f.Cause {
		case Lost, TLSBroken, Certificate, Stuck:
			return
		}
	}
	_ = n.conn.SetWriteDeadline(time.Now().Add(time.Second)) // best effort
	_, _ = n.conn.Write([]byte(closingTag))
	_ = n.conn.Close()
}
