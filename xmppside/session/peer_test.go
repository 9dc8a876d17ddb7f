package session

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"matrix-messenger/xmppside/internal/memnet"
)

const domain = "messenger.live.com"

// step is one step of a scripted service: it waits until the client has sent a text (since the step before), then
// replies. The reply may hold the marks below.
type step struct{ wait, reply string }

const (
	markTLS   = "\x01" // become a TLS server
	markClose = "\x02" // close the connection
	markPause = "\x03" // wait ten seconds
	markTwo   = "\x04" // a pause of two seconds
)

// What the service says in an ordinary sign-in.
const (
	serverHeader = `<?xml version="1.0"?><stream:stream from="` + domain + `" id="s1" version="1.0" xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams">`
	offerTLS     = `<stream:features xmlns:stream="http://etherx.jabber.org/streams"><starttls xmlns="urn:ietf:params:xml:ns:xmpp-tls"><required /></starttls></stream:features>`
	proceed      = `<proceed xmlns="urn:ietf:params:xml:ns:xmpp-tls" />`
	offerSASL    = `<stream:features xmlns:stream="http://etherx.jabber.org/streams"><mechanisms xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>TEST</mechanism></mechanisms></stream:features>`
	success      = `<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl" />`
	offerBind    = `<stream:features xmlns:stream="http://etherx.jabber.org/streams"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind" /><session xmlns="urn:ietf:params:xml:ns:xmpp-session" /></stream:features>`
	bound        = `<iq type="result" id="b1"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><jid>U1@` + domain + `/bridge</jid></bind></iq>`
	sessionDone  = `<iq type="result" id="s1" from="` + domain + `" />`
)

func plain() []step {
	return []step{
		{"<stream:stream", serverHeader + offerTLS},
		{"<starttls", proceed + markTLS},
		{"<stream:stream", serverHeader + offerSASL},
		{"</auth>", success},
		{"<stream:stream", serverHeader + offerBind},
		{"</iq>", bound},
		{"</iq>", sessionDone},
	}
}

// after gives the first n steps of an ordinary sign-in, and then others.
func after(n int, more ...step) []step { return append(plain()[:n], more...) }

// peer is a scripted service.
type peer struct {
	conn  net.Conn
	done  chan struct{}
	mu    sync.Mutex
	heard strings.Builder
	rest  string
}

var testCertificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{domain}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

// newPeer makes a service that has ended when the test has.
func newPeer(t *testing.T, conn net.Conn) *peer {
	p := &peer{conn: conn, done: make(chan struct{})}
	t.Cleanup(func() {
		_ = conn.Close()
		<-p.done
	})
	return p
}

// play runs the script, then listens until the client is gone.
func (p *peer) play(steps []step) {
	defer close(p.done)
	defer p.conn.Close() //nolint:errcheck // a test
	for _, s := range steps {
		if s.wait != "" && !p.await(s.wait) {
			return
		}
		if !p.say(s.reply) {
			return
		}
	}
	for p.more() {
	}
}

func (p *peer) await(text string) bool {
	for {
		if i := strings.Index(p.rest, text); i >= 0 {
			p.rest = p.rest[i+len(text):]
			return true
		}
		if !p.more() {
			return false
		}
	}
}

func (p *peer) more() bool {
	var buf [4096]byte
	n, err := p.conn.Read(buf[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard.Write(buf[:n])
	p.rest += string(buf[:n])
	return err == nil
}

func (p *peer) say(reply string) bool {
	for reply != "" {
		i := strings.IndexAny(reply, markTLS+markClose+markPause+markTwo)
		text, mark := reply, ""
		if i >= 0 {
			text, mark, reply = reply[:i], reply[i:i+1], reply[i+1:]
		} else {
			reply = ""
		}
		if _, err := io.WriteString(p.conn, text); err != nil {
			return false
		}
		switch mark {
		case markTLS:
			certificate, _ := testCertificate()
			server := tls.Server(p.conn, &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true})
			if server.Handshake() != nil {
				return false
			}
			p.conn, p.rest = server, ""
		case markClose:
			_ = p.conn.Close()
			return false
		case markPause:
			time.Sleep(10 * time.Second)
		case markTwo:
			time.Sleep(2 * time.Second)
		}
	}
	return true
}

func (p *peer) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard.String()
}

// testAuth is a mechanism with a secret, and one answer to a challenge.
type testAuth struct{ refuse bool }

func (testAuth) Start(offered []string, state tls.ConnectionState) (string, string, bool) {
	for _, m := range offered {
		if m == "TEST" {
			return m, "secret<&>", true
		}
	}
	return "", "", false
}

func (a testAuth) Next(challenge string) (string, error) {
	if a.refuse {
		return "", errors.New("no")
	}
	return "re:" + challenge, nil
}

func (testAuth) Finish(text string) error {
	if text == "forged" {
		return errors.New("forged")
	}
	return nil
}

func testOptions() Options {
	_, pool := testCertificate()
	return Options{
		Domain: domain, Resource: "bridge", TLS: &tls.Config{ServerName: domain, RootCAs: pool},
		Authenticator: testAuth{}, MaxInbound: 64 << 10,
	}
}

// dial connects a client to a scripted service.
func dial(t *testing.T, steps []step, opts Options) (*Stream, *peer, error) {
	t.Helper()
	ours, theirs := memnet.Pipe()
	p := newPeer(t, theirs)
	go p.play(steps)
	s, err := Connect(context.Background(), ours, opts)
	return s, p, err
}
