package session

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// readBuffer is small: TLS holds a whole record anyway.
	readBuffer = 512
	// keepTap is the largest tap that is kept for the next stanza; a bigger one is given back.
	keepTap = 16 << 10
	// idleTap is the largest one that is kept while nothing comes.
	idleTap = 1 << 10
)

// errSlow ends a stanza that does not arrive as a whole in time.
var errSlow = &Failure{Cause: Oversize, Err: errors.New("a stanza took too long to arrive")}

// errLong ends a stanza that is longer than the bound.
var errLong = &Failure{Cause: Oversize, Err: errors.New("a stanza is longer than the limit")}

// Conn reads a connection byte by byte for the XML decoder, which then keeps no buffer of its own, so that decoders can
// be changed at any stanza's end. It sees what the decoder cannot: white space between stanzas (dropped here, so that it
// costs nothing and counts for nothing), the length of a stanza, its raw bytes, and the time that it takes to arrive.
//
// Reading is for one goroutine, writing for one.
type Conn struct {
	net.Conn

	buf        []byte
	r, w       int
	limit      int           // bytes of one stanza
	patience   time.Duration // from a stanza's first byte to its last
	inside     bool          // a stanza has begun
	count      int           // its bytes so far
	tap        []byte        // its bytes so far
	watch      bool          // the read deadline is the stanza's
	idle       time.Time     // read deadline while nothing has begun; zero for none
	deadlineMu sync.Mutex
	final      bool // the read deadline belongs to the end of the stream
	tls        *tlsBuffers
	gate       *gate // beneath TLS; nil for a connection that is not the system's
	calm       bool  // stanzas come seldom: what they need is given back while nothing comes
	received   atomic.Int64
	epoch      time.Time
}

func newConn(raw net.Conn, limit int, patience time.Duration) *Conn {
	c := &Conn{Conn: raw, limit: limit, patience: patience, epoch: time.Now()}
	if encrypted, ok := raw.(*tls.Conn); ok {
		c.tls = buffersOf(encrypted)
		c.gate, _ = encrypted.NetConn().(*gate)
	}
	return c
}

// ReadByte implements io.ByteReader.
func (c *Conn) ReadByte() (byte, error) {
	for {
		if c.r == c.w {
			if err := c.fill(); err != nil {
				return 0, err
			}
		}
		b := c.buf[c.r]
		c.r++
		if !c.inside {
			if isSpace(b) {
				continue
			}
			c.inside = true
		}
		if c.count++; c.count > c.limit {
			return 0, errLong
		}
		c.tap = append(c.tap, b)
		return b, nil
	}
}

// Wait waits for the next stanza's first byte. It is called before the decoder, whose many calls would keep the waiting
// goroutine's stack deep.
func (c *Conn) Wait() error {
	for !c.inside {
		if c.r == c.w {
			if err := c.fill(); err != nil {
				return err
			}
		}
		if !isSpace(c.buf[c.r]) {
			return nil
		}
		c.r++
	}
	return nil
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// Read implements io.Reader for the decoder's sake; it never gives more than one byte.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := c.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// fill reads from the network, with the deadline that fits.
func (c *Conn) fill() error {
	switch {
	case c.inside && !c.watch:
		c.watch = true
		c.setReadDeadline(time.Now().Add(c.patience))
	case !c.inside && c.watch:
		c.watch = false
		c.setReadDeadline(c.idle)
	}
	n, err := c.receive()
	c.r, c.w = 0, n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	var network net.Error
	if c.inside && c.watch && errors.As(err, &network) && network.Timeout() && !c.ending() {
		return errSlow
	}
	return err
}

// receive reads what has come, or waits for it: between stanzas with as little in memory as can be, for there may be ten
// thousand idle sessions.
func (c *Conn) receive() (int, error) {
	switch {
	case c.inside:
		return c.Conn.Read(c.room())
	case c.gate == nil:
		c.rest()
		return c.Conn.Read(c.room())
	}
	for {
		c.gate.shut = true
		n, err := c.Conn.Read(c.room())
		c.gate.shut = false
		if n > 0 || !errors.Is(err, errNothingYet) {
			return n, err
		}
		c.rest()
		if !c.gate.wait() {
			return c.Conn.Read(c.room())
		}
	}
}

// room is where to read to. All of what was read before has been taken.
func (c *Conn) room() []byte {
	if c.buf == nil {
		c.buf = make([]byte, readBuffer)
	}
	return c.buf
}

// rest gives back what the next stanza may need and nobody needs until then.
func (c *Conn) rest() {
	if cap(c.tap) > idleTap || c.calm {
		c.tap = nil
	}
	if c.calm {
		c.buf, c.r, c.w = nil, 0, 0
	}
	if c.gate != nil && c.calm {
		c.tls.trim(0, 0)
	} else {
		c.tls.trim(idleRecords, idleHandshake)
	}
}

// Mark ends a stanza: the bounds start anew, and so does the tap.
func (c *Conn) Mark() {
	c.inside, c.count = false, 0
	if cap(c.tap) > keepTap {
		c.tap = nil
	}
	c.tap = c.tap[:0]
	c.received.Store(int64(time.Since(c.epoch)))
}

// Raw is the stanza so far, valid until the next Mark.
func (c *Conn) Raw() []byte { return c.tap }

// Buffered is how many bytes were received and not yet read.
func (c *Conn) Buffered() int { return c.w - c.r }

// SinceReceived is how long ago the last stanza was complete.
func (c *Conn) SinceReceived() time.Duration {
	return time.Since(c.epoch) - time.Duration(c.received.Load())
}

// setIdleDeadline bounds the wait for the next stanza to begin; zero for no bound. Only for the reading goroutine.
func (c *Conn) setIdleDeadline(t time.Time) {
	c.idle = t
	c.watch = false
	c.setReadDeadline(t)
}

func (c *Conn) setReadDeadline(t time.Time) {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	if !c.final {
		_ = c.SetReadDeadline(t) // a closed connection says so at the next read
	}
}

// endBy sets the last read deadline, which nothing moves any more. For any goroutine.
func (c *Conn) endBy(t time.Time) {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	c.final = true
	_ = c.SetReadDeadline(t)
}

func (c *Conn) ending() bool {
	c.deadlineMu.Lock()
	defer c.deadlineMu.Unlock()
	return c.final
}
