package messengerd

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// Bounds of what may wait for one client, and for how long a write may take.
const (
	queueItems   = 8192
	queueBytes   = 8 << 20
	writeTimeout = 20 * time.Second
	lingerTime   = 2 * time.Second
)

// outItem is one top-level element waiting to be written: one write and so, when
// it is short enough, one TLS record.
type outItem struct {
	data []byte
	keep *storedMessage // the message in it, to be stored again if it cannot be written
}

// closing says what follows the last element.
type closing int

const (
	closeOrderly closing = iota // tell TLS and TCP that nothing follows, wait a moment for the client
	closeAbrupt                 // the same without TLS's own goodbye
	closeNever                  // leave it to the client, within bounds
)

// queue is what waits for one client. A goroutine writes while there is
// something to write and ends when there is not.
type queue struct {
	mu      sync.Mutex
	conn    net.Conn
	items   []outItem
	bytes   int
	writing bool
	closed  bool
	final   []byte
	how     closing
	until   time.Time // the writer gives up then, once the queue is closed
	linger  time.Time // the client has until then to close its side
	hold    bool      // a TLS handshake is going on: nothing may be written
	space   chan struct{}
	wg      sync.WaitGroup
}

// put queues an element. It is false when the queue is closed, and when it is
// full: then the session has to end.
func (q *queue) put(item outItem) (ok, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, false
	}
	if len(q.items) >= queueItems || q.bytes+len(item.data) > queueBytes {
		return false, true
	}
	q.items = append(q.items, item)
	q.bytes += len(item.data)
	q.start()
	return true, false
}

func (q *queue) start() {
	if !q.writing {
		q.writing = true
		q.wg.Go(q.write)
	}
}

// close ends the queue: what waits is still written, then final. It is false if
// the queue was closed before.
func (q *queue) close(final []byte, how closing) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.closed, q.final, q.how = true, final, how
	q.until, q.linger = time.Now().Add(writeTimeout), time.Now().Add(lingerTime)
	if q.hold {
		_ = q.conn.Close()
		return true
	}
	q.start()
	return true
}

// drop ends the queue and the connection at once.
func (q *queue) drop(raw net.Conn) {
	q.mu.Lock()
	q.closed = true
	q.final, q.how = nil, closeAbrupt
	q.mu.Unlock()
	_ = raw.Close()
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// rest takes what was never written, once the writer has ended.
func (q *queue) rest() []outItem {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.bytes = nil, 0
	return items
}

func (q *queue) write() {
	for {
		q.mu.Lock()
		if len(q.items) == 0 {
			q.items = nil
			if !q.closed {
				q.writing = false
				q.mu.Unlock()
				return
			}
			conn, final, how := q.conn, q.final, q.how
			q.mu.Unlock()
			finishWriting(conn, final, how)
			return
		}
		item, conn, until := q.items[0], q.conn, q.until
		q.mu.Unlock()

		if until.IsZero() {
			until = time.Now().Add(writeTimeout)
		}
		_ = conn.SetWriteDeadline(until)
		_, err := conn.Write(item.data)

		q.mu.Lock()
		if err != nil { // the item stays, see rest
			q.closed = true
			q.mu.Unlock()
			_ = conn.SetReadDeadline(time.Now())
			return
		}
		q.items[0] = outItem{}
		q.items = q.items[1:]
		q.bytes -= len(item.data)
		q.mu.Unlock()
		select {
		case q.space <- struct{}{}:
		default:
		}
	}
}

// finishWriting sends the end of the stream. Closing with unread input pending
// would make the system reset the connection and take the last bytes with it,
// so the sending side is shut first and the reader waits for the client.
func finishWriting(conn net.Conn, final []byte, how closing) {
	_ = conn.SetWriteDeadline(time.Now().Add(lingerTime))
	if len(final) > 0 {
		if _, err := conn.Write(final); err != nil {
			return
		}
	}
	if how == closeNever {
		return
	}
	if t, ok := conn.(*tls.Conn); ok {
		if how != closeAbrupt {
			_ = t.CloseWrite()
		}
		conn = t.NetConn()
	}
	if t, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = t.CloseWrite()
	}
}

// waitBelow holds the reader back while its client does not take the answers to
// what it asked.
func (q *queue) waitBelow(done <-chan struct{}) {
	for {
		q.mu.Lock()
		busy := !q.closed && (len(q.items) > queueItems/4 || q.bytes > queueBytes/4)
		q.mu.Unlock()
		if !busy {
			return
		}
		select {
		case <-q.space:
		case <-done:
			return
		}
	}
}

// waitEmpty waits until everything queued is written; false when it cannot be.
func (q *queue) waitEmpty(done <-chan struct{}) bool {
	for {
		q.mu.Lock()
		closed, empty := q.closed, len(q.items) == 0
		q.mu.Unlock()
		if closed {
			return false
		}
		if empty {
			return true
		}
		select {
		case <-q.space:
		case <-done:
			return false
		case <-time.After(writeTimeout):
			return false
		}
	}
}
