package prosody

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const (
	nsStream = "http://etherx.jabber.org/streams"
	nsSASL   = "urn:ietf:params:xml:ns:xmpp-sasl"
)

// signInWithin bounds a sign-in.
const signInWithin = 30 * time.Second

// element is any top-level element; of stanzas the parts that a contact looks at.
type element struct {
	XMLName xml.Name
	Type    string `xml:"type,attr"`
	From    string `xml:"from,attr"`
	ID      string `xml:"id,attr"`
	Body    string `xml:"body"`
	Nick    string `xml:"http://jabber.org/protocol/nick nick"`
	JID     string `xml:"urn:ietf:params:xml:ns:xmpp-bind bind>jid"`
	Inner   string `xml:",innerxml"`
}

// stream is a client's side of an XMPP stream, RFC 6120 by the book and no further.
type stream struct {
	conn   net.Conn
	reader *xml.Decoder
	domain string
}

// open sends the stream header and reads the server's, and then the features.
func (s *stream) open() error {
	s.reader = xml.NewDecoder(s.conn)
	err := s.write("<?xml version='1.0'?><stream:stream to='%s' version='1.0' xmlns='jabber:client' xmlns:stream='%s'>", s.domain, nsStream)
	if err != nil {
		return err
	}
	for {
		token, err := s.reader.Token()
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name != (xml.Name{Space: nsStream, Local: "stream"}) {
				return fmt.Errorf("the server began with <%s>", start.Name.Local)
			}
			_, err := s.expect("features")
			return err
		}
	}
}

func (s *stream) write(format string, args ...any) error {
	_, err := fmt.Fprintf(s.conn, format, args...)
	return err
}

// next reads a top-level element.
func (s *stream) next() (element, error) {
	for {
		token, err := s.reader.Token()
		if err != nil {
			return element{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			var e element
			err := s.reader.DecodeElement(&e, &token)
			return e, err
		case xml.EndElement:
			return element{}, errors.New("the server has ended the stream")
		}
	}
}

func (s *stream) expect(name string) (element, error) {
	e, err := s.next()
	if err == nil && e.XMLName.Local != name {
		err = fmt.Errorf("the server sent <%s>%s, not <%s>", e.XMLName.Local, e.Inner, name)
	}
	return e, err
}

// request sends an IQ and waits for its result; nothing else is expected then.
func (s *stream) request(id, payload string) (element, error) {
	if err := s.write("<iq type='set' id='%s'>%s</iq>", id, payload); err != nil {
		return element{}, err
	}
	answer, err := s.expect("iq")
	if err == nil && (answer.Type != "result" || answer.ID != id) {
		err = fmt.Errorf("the request %s was answered with %s %s: %s", id, answer.Type, answer.ID, answer.Inner)
	}
	return answer, err
}

// signIn connects and goes through STARTTLS, X-MESSENGER-OAUTH2 and bind. It returns the bound JID.
func signIn(ctx context.Context, address, domain, caFile, token string) (s *stream, jid string, err error) {
	authority, err := os.ReadFile(caFile)
	if err != nil {
		return nil, "", err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, "", errors.New("no certificate of the authority")
	}
	ctx, cancel := context.WithTimeout(ctx, signInWithin)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, "", err
	}
	s = &stream{conn: conn, domain: domain}
	if err := s.open(); err != nil {
		return nil, "", err
	}
	if err := s.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
		return nil, "", err
	}
	if _, err := s.expect("proceed"); err != nil {
		return nil, "", err
	}
	s.conn = tls.Client(conn, &tls.Config{ServerName: domain, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err := s.open(); err != nil {
		return nil, "", err
	}
	if err := s.write("<auth xmlns='%s' mechanism='X-MESSENGER-OAUTH2'>%s</auth>", nsSASL, escaped(token)); err != nil {
		return nil, "", err
	}
	if _, err := s.expect("success"); err != nil {
		return nil, "", err
	}
	if err := s.open(); err != nil {
		return nil, "", err
	}
	bound, err := s.request("bind", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
	if err != nil {
		return nil, "", err
	}
	return s, bound.JID, conn.SetDeadline(time.Time{})
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
