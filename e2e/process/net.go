package process

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"matrix-messenger/internal/freeport"
)

// FreeAddress returns a loopback address (host:port) whose TCP port was free a moment ago.
func FreeAddress() (string, error) {
	port, err := freeport.Find("127.0.0.1")
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

// Free reports whether a TCP address can be listened on at the moment.
func Free(address string) bool {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// WaitListening returns when something accepts connections at address, with an error when the program
// ends before that or ctx ends first.
func (p *Process) WaitListening(ctx context.Context, address string) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it listened on %s: %v\n%s", p.name, address, p.err, p.Tail(30))
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen on %s: %w\n%s", p.name, address, ctx.Err(), p.Tail(30))
		case <-ticker.C:
		}
	}
}
