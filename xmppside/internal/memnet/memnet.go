// Package memnet is a network inside the process, for tests under testing/synctest: listeners by address, connections
// with a bounded buffer in each direction, deadlines that follow the (fake) clock. A connection can be frozen, as when a
// machine or a router on the way goes silent: what is written is taken and never arrives.
package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bufferSize is how much one direction holds before writing waits.
const bufferSize = 64 << 10

// ErrRefused is what dialling an address gives where nobody listens.
var ErrRefused = errors.New("connection refused")

// Network is a set of listeners.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*Listener
	dials     []string
	conns     []*Conn
}

// New makes an empty network.
func New() *Network { return &Network{listeners: make(map[string]*Listener)} }

// Listen opens a listener at a host:port.
func (n *Network) Listen(address string) *Listener {
	l := &Listener{net: n, address: address, backlog: make(chan net.Conn, 1024), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[address] = l
	return l
}

// Alias makes an address lead to a listener that has another one.
func (n *Network) Alias(address string, l *Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[address] = l
}

// Remove makes an address refuse connections.
func (n *Network) Remove(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.listeners, address)
}

// Dial connects to a listener; its form is that of net.Dialer.DialContext.
func (n *Network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials = append(n.dials, address)
	l := n.listeners[address]
	n.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ErrRefused}
	}
	ours, theirs := Pipe()
	select {
	case l.backlog <- theirs:
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ErrRefused}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	n.conns = append(n.conns, ours)
	n.mu.Unlock()
	return ours, nil
}

// Dials lists the addresses that were dialled, in order.
func (n *Network) Dials() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.dials...)
}

// Last is the dialling side of the newest connection.
func (n *Network) Last() *Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.conns) == 0 {
		return nil
	}
	return n.conns[len(n.conns)-1]
}

// Listener implements net.Listener.
type Listener struct {
	net     *Network
	address string
	backlog chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		if l.net.listeners[l.address] == l {
			delete(l.net.listeners, l.address)
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return addr(l.address) }

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

// Conn is one end of a connection.
type Conn struct {
	in, out *half
}

// Pipe makes a connection.
func Pipe() (*Conn, *Conn) {
	a, b := newHalf(), newHalf()
	return &Conn{in: a, out: b}, &Conn{in: b, out: a}
}

// half is one direction.
type half struct {
	mu       sync.Mutex
	change   *sync.Cond
	buf      []byte
	closed   bool // by either side
	frozen   bool
	total    int64
	readBy   deadline
	writeBy  deadline
	overfull bool // frozen: writing waits
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func newHalf() *half {
	h := new(half)
	h.change = sync.NewCond(&h.mu)
	return h
}

func (h *half) set(d *deadline, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = at
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.change.Broadcast()
		})
	}
	h.change.Broadcast()
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.change.Broadcast()
			return n, nil
		case h.closed:
			return 0, io.EOF
		}
		h.change.Wait()
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	written := 0
	for len(p) > 0 {
		switch {
		case h.closed:
			return written, io.ErrClosedPipe
		case h.writeBy.passed():
			return written, os.ErrDeadlineExceeded
		case h.overfull, !h.frozen && len(h.buf) >= bufferSize:
			h.change.Wait()
			continue
		}
		n := len(p)
		if !h.frozen {
			n = min(n, bufferSize-len(h.buf))
			h.buf = append(h.buf, p[:n]...)
		}
		p, written = p[n:], written+n
		h.total += int64(n)
		h.change.Broadcast()
	}
	return written, nil
}

// Close implements net.Conn. What was written before can still be read by the other side.
func (c *Conn) Close() error {
	for _, h := range []*half{c.in, c.out} {
		h.mu.Lock()
		if h == c.in {
			h.buf = nil
		}
		if !h.frozen {
			h.closed = true
		} else if h == c.in {
			h.closed = true // our own reader ends, whatever the network does
		}
		h.change.Broadcast()
		h.mu.Unlock()
	}
	for _, d := range []struct {
		h *half
		d *deadline
	}{{c.in, &c.in.readBy}, {c.out, &c.out.writeBy}} {
		d.h.mu.Lock()
		if d.d.timer != nil {
			d.d.timer.Stop()
		}
		d.h.mu.Unlock()
	}
	return nil
}

// Freeze makes the network go silent in both directions. What is written vanishes; with stuck set writing waits instead,
// as it does when the other side stops reading and all buffers are full.
func (c *Conn) Freeze(stuck bool) {
	for _, h := range []*half{c.in, c.out} {
		h.mu.Lock()
		h.frozen, h.overfull = true, stuck && h == c.out
		h.buf = nil
		h.change.Broadcast()
		h.mu.Unlock()
	}
}

// Written is how many bytes this side has written so far.
func (c *Conn) Written() int64 {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.total
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return addr("memory") }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return addr("memory") }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.set(&c.in.readBy, t)
	c.out.set(&c.out.writeBy, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.set(&c.in.readBy, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.set(&c.out.writeBy, t)
	return nil
}
