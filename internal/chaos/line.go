package chaos

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// side is one end of a connection.
type side int

const (
	fromBridge side = iota
	fromService
)

// Break is a fault of one connection. It comes when a number of records has passed in one direction. A record is a TLS record, which holds one stanza as both sides
// write them, or what one read gives before TLS begins.
type Break struct {
	From    side          // whose records count
	Records int           // how many still pass as they are
	Part    float64       // how much of the next one still passes, 0 to 1
	Lose    [2]bool       // by side: what it sends afterwards is lost while the connection seems to live
	Hold    time.Duration // how long it seems to live
}

// Line is a TCP proxy in front of the service. It owns the connections through it; Close ends them.
type Line struct {
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	target string
	wires  map[*wire]struct{}
	next   *Break // for the next connection
	closed bool

	met atomic.Int64 // breaks that came to pass
}

// NewLine listens; it leads nowhere before SetTarget.
func NewLine() (*Line, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Line{listener: listener, wires: map[*wire]struct{}{}}
	l.work.Go(l.accept)
	return l, nil
}

// Addr is host:port of the line's own end.
func (l *Line) Addr() string { return l.listener.Addr().String() }

// SetTarget says where the line leads, host:port.
func (l *Line) SetTarget(address string) {
	l.mu.Lock()
	l.target = address
	l.mu.Unlock()
}

// Close ends every connection and waits.
func (l *Line) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	_ = l.listener.Close()
	l.Cut()
	l.work.Wait()
}

// Cut ends every connection now.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.wires {
		w.cut()
	}
}

// BreakNow arms a fault on the connections there are, and reports whether there is one.
func (l *Line) BreakNow(b Break) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.wires {
		w.arm(b)
	}
	return len(l.wires) > 0
}

// BreakNext arms a fault on the next connection, counting from its first record.
func (l *Line) BreakNext(b Break) {
	l.mu.Lock()
	l.next = &b
	l.mu.Unlock()
}

// Heal takes back what is armed and ends what only seems to live.
func (l *Line) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = nil
	for w := range l.wires {
		w.heal()
	}
}

// Met is how many breaks have come to pass.
func (l *Line) Met() int { return int(l.met.Load()) }

func (l *Line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.mu.Lock()
		target := l.target
		l.mu.Unlock()
		far, err := net.DialTimeout("tcp", target, 5*time.Second)
		if err != nil {
			_ = near.Close()
			continue
		}
		w := &wire{line: l, ends: [2]net.Conn{near, far}}
		l.mu.Lock()
		if l.closed {
			w.cut()
		}
		if l.next != nil {
			w.arm(*l.next)
			l.next = nil
		}
		l.wires[w] = struct{}{}
		l.work.Go(func() { w.pump(fromBridge) })
		l.work.Go(func() { w.pump(fromService) })
		l.mu.Unlock()
	}
}

// wire is one connection through the line.
type wire struct {
	line *Line
	ends [2]net.Conn // by the side that sends: the bridge's, the service's

	mu     sync.Mutex
	armed  *Break
	lost   [2]bool
	broken bool // the fault has come
	timer  *time.Timer
	ended  int
}

func (w *wire) arm(b Break) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.broken {
		w.armed = &b
	}
}

func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = nil
	if w.broken {
		w.cut()
	}
}

func (w *wire) cut() {
	for _, end := range w.ends {
		if tcp, ok := end.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // as a cable that is pulled: what is not read yet is gone
		}
		_ = end.Close()
	}
}

// pump carries the records of one side until the connection ends.
func (w *wire) pump(from side) {
	defer w.finish()
	reader := bufio.NewReaderSize(w.ends[from], 1<<15)
	for {
		record, err := nextRecord(reader)
		if len(record) > 0 {
			if pass := w.pass(from, len(record)); pass > 0 {
				if _, err := w.ends[1-from].Write(record[:pass]); err != nil {
					return
				}
			}
		}
		if err != nil {
			return
		}
		w.settle()
	}
}

// pass says how many bytes of a record go through.
func (w *wire) pass(from side, size int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		if w.lost[from] {
			return 0
		}
		return size
	}
	if w.armed == nil || w.armed.From != from {
		return size
	}
	if w.armed.Records > 0 {
		w.armed.Records--
		return size
	}
	w.broken, w.lost = true, w.armed.Lose
	return int(w.armed.Part * float64(size))
}

// settle ends the connection when the fault says so, at once or after the time in which it seems to live.
func (w *wire) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.broken || w.armed == nil || w.timer != nil {
		return
	}
	w.line.met.Add(1)
	w.timer = time.AfterFunc(w.armed.Hold, w.cut)
}

// finish ends the connection with its first side, and forgets it with its second.
func (w *wire) finish() {
	w.mu.Lock()
	w.ended++
	last := w.ended == 2
	if last && w.timer != nil {
		w.timer.Stop()
	}
	seems := w.broken && !last && (w.lost[0] || w.lost[1])
	w.mu.Unlock()
	if !seems {
		for _, end := range w.ends {
			_ = end.Close()
		}
	}
	if last {
		w.line.mu.Lock()
		delete(w.line.wires, w)
		w.line.mu.Unlock()
	}
}

const tlsHeader = 5

// nextRecord reads a TLS record, or what there is before TLS begins. Neither side sends anything before the other has answered there, so TLS begins with a read.
func nextRecord(reader *bufio.Reader) ([]byte, error) {
	head, err := reader.Peek(1)
	if err != nil {
		return nil, err
	}
	if head[0] < 20 || head[0] > 23 { // the types of TLS records; no XML begins so, but a line end is 10 and passes as text
		text := make([]byte, reader.Buffered())
		n, err := io.ReadFull(reader, text)
		return text[:n], err
	}
	header, err := reader.Peek(tlsHeader)
	if err != nil {
		return nil, err
	}
	record := make([]byte, tlsHeader+int(binary.BigEndian.Uint16(header[3:])))
	n, err := io.ReadFull(reader, record)
	return record[:n], err
}
