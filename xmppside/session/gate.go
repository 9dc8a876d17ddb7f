package session

import (
	"net"
	"syscall"
)

// gate lies between TLS and its connection. While it is shut, a read that would wait says so instead of waiting, and
// crypto/tls gives that back to who asked, as it does with a deadline. So the wait for the next stanza, which may take
// days, happens outside of crypto/tls: the goroutine's stack can shrink to a fraction of what decryption needs, and the
// buffers for records are nobody's.
type gate struct {
	net.Conn
	raw      syscall.RawConn
	shut     bool               // for the reading goroutine
	readable func(uintptr) bool // asks the system whether a read would not wait
}

// errNothingYet is what a read through a shut gate gives. crypto/tls goes on after errors that are temporary.
var errNothingYet net.Error = nothingYet{}

type nothingYet struct{}

func (nothingYet) Error() string   { return "nothing has arrived yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true }

// gateTo is the gate to a connection of the system, nil for one of another kind or where the system cannot be asked.
func gateTo(conn net.Conn) *gate {
	system, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return nil
	}
	readable := readiness()
	if readable == nil {
		return nil
	}
	return &gate{Conn: conn, raw: raw, readable: readable}
}

// Read implements net.Conn.
func (g *gate) Read(p []byte) (int, error) {
	if g.shut {
		there := false
		err := g.raw.Read(func(fd uintptr) bool {
			there = g.readable(fd)
			return true
		})
		if err == nil && !there {
			return 0, errNothingYet
		}
	}
	return g.Conn.Read(p) // an error in asking is this one's, too
}

// wait waits until something can be read. False means that the wait has ended otherwise, which the next read explains.
func (g *gate) wait() bool { return g.raw.Read(g.readable) == nil }
