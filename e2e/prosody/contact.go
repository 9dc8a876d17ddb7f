package prosody

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Contact is the program of somebody at the service. It accepts every invitation.
type Contact struct {
	jid    string
	stream *stream
	write  sync.Mutex
	done   chan struct{} // closed when the stream has been read to its end

	mu       sync.Mutex
	err      error // why the stream ended
	received []string
	invites  []Invite
	changed  chan struct{} // closed and replaced with everything new
}

// Invite is somebody's wish to become a contact.
type Invite struct{ From, Nick string }

// SignIn signs an account in at the gateway and shows it as available.
func (s *Server) SignIn(ctx context.Context, account Account) (*Contact, error) {
	stream, jid, err := signIn(ctx, s.gateway, s.options.Domain, s.CAFile(), account.Token)
	if err != nil {
		return nil, fmt.Errorf("%s signs in: %w", account.Email, err)
	}
	c := &Contact{jid: jid, stream: stream, done: make(chan struct{}), changed: make(chan struct{})}
	// A server tells subscriptions to those only who have asked for the roster (RFC 6121, 3.1.3).
	if err := c.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>"); err != nil {
		stream.conn.Close()
		return nil, err
	}
	go c.read()
	return c, nil
}

// JID is the bound address.
func (c *Contact) JID() string { return c.jid }

// Say sends a message to a bare JID.
func (c *Contact) Say(to, text string) error {
	return c.send("<message type='chat' to='%s'><body>%s</body></message>", escaped(to), escaped(text))
}

func (c *Contact) send(format string, args ...any) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.stream.write(format, args...)
}

// read takes what the server sends until the stream ends.
func (c *Contact) read() {
	defer close(c.done)
	for {
		e, err := c.stream.next()
		if err == nil {
			err = c.take(e)
		}
		if err != nil {
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
			return
		}
	}
}

func (c *Contact) take(e element) error {
	switch {
	case e.XMLName.Local == "message" && e.Type != "error" && e.Body != "":
		c.note(func() { c.received = append(c.received, e.Body) })
	case e.XMLName.Local == "presence" && e.Type == "subscribe":
		c.note(func() { c.invites = append(c.invites, Invite{e.From, e.Nick}) })
		return c.send("<presence type='subscribed' to='%[1]s'/><presence type='subscribe' to='%[1]s'/>", escaped(e.From))
	case e.XMLName.Local == "iq" && (e.Type == "get" || e.Type == "set"):
		from := ""
		if e.From != "" {
			from = " to='" + escaped(e.From) + "'"
		}
		if strings.Contains(e.Inner, "jabber:iq:roster") {
			return c.send("<iq type='result' id='%s'%s/>", escaped(e.ID), from)
		}
		return c.send("<iq type='error' id='%s'%s><error type='cancel'>"+
			"<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", escaped(e.ID), from)
	}
	return nil
}

func (c *Contact) note(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}

// WaitReceived waits until count messages have come and returns all texts so far, in order.
func (c *Contact) WaitReceived(ctx context.Context, count int) ([]string, error) {
	var received []string
	err := c.wait(ctx, func() bool {
		received = append(received[:0], c.received...)
		return len(received) >= count
	})
	if err != nil {
		return received, fmt.Errorf("%s waited for %d messages and got %q: %w", c.jid, count, received, err)
	}
	return received, nil
}

// heard is how many messages have come so far.
func (c *Contact) heard() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.received)
}

// WaitInvite waits for the first invitation.
func (c *Contact) WaitInvite(ctx context.Context) (invite Invite, err error) {
	err = c.wait(ctx, func() bool {
		if len(c.invites) == 0 {
			return false
		}
		invite = c.invites[0]
		return true
	})
	if err != nil {
		return invite, fmt.Errorf("%s waited for an invitation: %w", c.jid, err)
	}
	return invite, nil
}

func (c *Contact) wait(ctx context.Context, holds func() bool) error {
	for {
		c.mu.Lock()
		ok, changed, err := holds(), c.changed, c.err
		c.mu.Unlock()
		if ok {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close leaves without a word and waits for the reader to end.
func (c *Contact) Close() {
	c.stream.conn.Close()
	<-c.done
}
