// Package freeport finds TCP ports for programs that tests start, and start again, on a port that is known beforehand.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
	"time"
)

// Ports below those that systems give to outgoing connections and to listeners that leave the choice to them (Linux:
// from 32768 on): among those, a port is taken by somebody else between two starts of a program.
const (
	lowest  = 10000
	highest = 32000
	tries   = 200
)

// Find is a port of a loopback address where nobody listens. It fails when none of many is free, or the address is none of this
// machine's.
func Find(host string) (port int, err error) {
	for range tries {
		port = lowest + rand.IntN(highest-lowest)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return 0, err
		}
	}
	return 0, err
}

// Retry calls listen again while the port is somebody else's, for at most patience, and returns its last answer.
func Retry(patience time.Duration, listen func() error) error {
	for until := time.Now().Add(patience); ; {
		err := listen()
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(until) {
			return err
		}
		time.Sleep(50 * time.Millisecond) // nobody tells when a port becomes free
	}
}
