package messengerd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

// patience is the safety net of every wait; tests never depend on its length.
const patience = time.Minute

const (
	john = "1111111111111111@messenger.live.com"
	mary = "2222222222222222@messenger.live.com"
	anna = "3333333333333333@messenger.live.com"
)

// people is the usual cast: John and Mary are contacts of each other, Anna knows nobody.
func people() *messengerd.Config {
	cfg := messengerd.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Accounts = []messengerd.AccountConfig{
		{Email: "john@contoso.com", Password: "secret", JID: john, Name: "John Contoso", Contacts: []messengerd.ContactConfig{{Account: "mary@contoso.com"}}},
		{Email: "mary@contoso.com", JID: mary, Name: "Mary", Contact: true},
		{Email: "anna@contoso.com", JID: anna, Name: "Anna", Contact: true},
	}
	return cfg
}

func start(t testing.TB, cfg *messengerd.Config, opts ...messengerd.Option) *messengerd.Server {
	t.Helper()
	s, err := messengerd.New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func startWith(t testing.TB, change func(*messengerd.Switches)) *messengerd.Server {
	t.Helper()
	cfg := people()
	change(&cfg.Switches)
	return start(t, cfg)
}

// node is any XML element, as this test client reads it with encoding/xml alone.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

func (n node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// at finds a descendant by local names; an empty node when there is none.
func (n node) at(path ...string) node {
	for _, name := range path {
		found := node{}
		for _, c := range n.Nodes {
			if c.XMLName.Local == name {
				found = c
				break
			}
		}
		n = found
	}
	return n
}

func (n node) has(path ...string) bool { return n.at(path...).XMLName.Local != "" }

// condition is the defined condition of a stanza or stream error.
func (n node) condition() string {
	if n.XMLName.Local != "error" && n.XMLName.Local != "failure" {
		n = n.at("error")
	}
	for _, c := range n.Nodes {
		if c.XMLName.Local != "text" {
			return c.XMLName.Local
		}
	}
	return ""
}

func (n node) String() string {
	var b strings.Builder
	b.WriteString("<" + n.XMLName.Local)
	for _, a := range n.Attrs {
		fmt.Fprintf(&b, " %s=%q", a.Name.Local, a.Value)
	}
	b.WriteString(">" + n.Text)
	for _, c := range n.Nodes {
		b.WriteString(c.String())
	}
	return b.String() + "</" + n.XMLName.Local + ">"
}

// client is a raw XMPP client: what it sends is written in each test.
type client struct {
	t      testing.TB
	server *messengerd.Server
	conn   net.Conn
	dec    *xml.Decoder
	raw    strings.Builder // everything received, for tests of the text itself
	header xml.StartElement
	jid    string
}

func dial(t testing.TB, s *messengerd.Server, address string) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, server: s, conn: conn}
	t.Cleanup(func() { _ = c.conn.Close() })
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("sending %.80s: %v", text, err)
	}
}

const clientHeader = `<?xml version='1.0'?><stream:stream to='messenger.live.com' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

// open begins a stream: it sends a header and reads the server's.
func (c *client) open() {
	c.t.Helper()
	c.send(clientHeader)
	c.readHeader()
}

func (c *client) fresh() {
	c.raw.Reset()
	c.dec = xml.NewDecoder(io.TeeReader(c.conn, &c.raw))
}

func (c *client) readHeader() {
	c.t.Helper()
	c.fresh()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		token, err := c.dec.Token()
		if err != nil {
			c.t.Fatalf("reading the stream header: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok {
			c.header = start.Copy()
			return
		}
	}
}

// errEnd is the server's </stream:stream>.
var errEnd = errors.New("stream closed by the server")

// read gives the next element, or how the stream ended.
func (c *client) read() (node, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		token, err := c.dec.Token()
		if err != nil {
			return node{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			var n node
			err := c.dec.DecodeElement(&n, &t)
			return n, err
		case xml.EndElement:
			return node{}, errEnd
		}
	}
}

func (c *client) next() node {
	c.t.Helper()
	n, err := c.read()
	if err != nil {
		c.t.Fatalf("waiting for an element: %v", err)
	}
	return n
}

// await skips what does not match.
func (c *client) await(what string, match func(node) bool) node {
	c.t.Helper()
	for {
		n, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", what, err)
		}
		if match(n) {
			return n
		}
	}
}

// ended reads to the end of the stream and gives its error's condition, "" for none.
func (c *client) ended() string {
	c.t.Helper()
	for condition := ""; ; {
		n, err := c.read()
		var netErr net.Error
		if errors.As(err, &netErr) && netErr.Timeout() {
			c.t.Fatal("the stream does not end")
		}
		if err != nil {
			return condition
		}
		if n.XMLName.Local == "error" {
			condition = n.condition()
		}
	}
}

var ids atomic.Int64

// iq sends a request and gives its answer and what came before.
func (c *client) iq(kind, to, payload string) (answer node, before []node) {
	c.t.Helper()
	id := fmt.Sprintf("q%d", ids.Add(1))
	if to != "" {
		to = " to='" + to + "'"
	}
	c.send("<iq type='" + kind + "' id='" + id + "'" + to + ">" + payload + "</iq>")
	for {
		n, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for the answer to %s: %v", payload, err)
		}
		if n.XMLName.Local == "iq" && n.attr("id") == id {
			return n, before
		}
		before = append(before, n)
	}
}

// sync waits until the server has acted on all that was sent, and gives what
// arrived meanwhile.
func (c *client) sync() []node {
	c.t.Helper()
	_, before := c.iq("get", "messenger.live.com", "<query xmlns='urn:test:sync'/>")
	return before
}

func (c *client) startTLS() {
	c.t.Helper()
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	if n := c.next(); n.XMLName.Local != "proceed" {
		c.t.Fatalf("no proceed but %v", n)
	}
	if err := c.handshake("messenger.live.com"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) handshake(name string) error { return c.handshakeWith(c.server.CAPEM(), name) }

func (c *client) handshakeWith(ca []byte, name string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	conn := tls.Client(c.conn, &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12})
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		return err
	}
	c.conn = conn
	return nil
}

// toSASL goes up to the features with the mechanisms.
func toSASL(t testing.TB, s *messengerd.Server, address string) *client {
	t.Helper()
	c := dial(t, s, address)
	c.open()
	c.next()
	c.startTLS()
	c.open()
	c.next()
	return c
}

func (c *client) auth(token string) node {
	c.t.Helper()
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(token))
	c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-MESSENGER-OAUTH2'>" + b.String() + "</auth>")
	return c.next()
}

// toBind goes up to the features with bind.
func toBind(t testing.TB, s *messengerd.Server, account string) *client {
	t.Helper()
	c := toSASL(t, s, s.Addr())
	if n := c.auth(s.IssueToken(account)); n.XMLName.Local != "success" {
		t.Fatalf("no success but %v", n)
	}
	c.open()
	c.next()
	return c
}

func (c *client) bind(resource string) node {
	c.t.Helper()
	if resource != "" {
		resource = "<resource>" + resource + "</resource>"
	}
	n, _ := c.iq("set", "", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"+resource+"</bind>")
	c.jid = n.at("bind", "jid").Text
	return n
}

// signIn is a whole login, without roster and presence.
func signIn(t testing.TB, s *messengerd.Server, account, resource string) *client {
	t.Helper()
	c := toBind(t, s, account)
	if n := c.bind(resource); n.attr("type") != "result" {
		t.Fatalf("bind: %v", n)
	}
	return c
}

// online is a login with roster and initial presence; what came on the way is dropped.
func online(t testing.TB, s *messengerd.Server, account, resource string) *client {
	t.Helper()
	c := signIn(t, s, account, resource)
	c.iq("get", "", "<query xmlns='jabber:iq:roster'/>")
	c.send("<presence/>")
	c.sync()
	return c
}

func isMessage(body string) func(node) bool {
	return func(n node) bool { return n.XMLName.Local == "message" && n.at("body").Text == body }
}

func isPresence(kind, from string) func(node) bool {
	return func(n node) bool {
		return n.XMLName.Local == "presence" && n.attr("type") == kind && strings.HasPrefix(n.attr("from"), from)
	}
}

func count(nodes []node, match func(node) bool) int {
	n := 0
	for _, x := range nodes {
		if match(x) {
			n++
		}
	}
	return n
}
