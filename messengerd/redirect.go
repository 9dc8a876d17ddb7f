package messengerd

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// maxRedirectHops bounds the listeners that a chain of redirects may open.
const maxRedirectHops = 16

// redirect sends see-other-host if the switches say so for this stage and this
// connection (protocol, section 2.4). The result is errEnded then.
func (ses *session) redirect(stage string) error {
	sw := ses.srv.sw()
	if sw.RedirectStage != stage {
		return nil
	}
	target, ok, err := ses.srv.redirectTarget(ses.hop, &sw.RedirectTarget)
	if err != nil {
		ses.srv.log.Error("cannot redirect", "session", ses.number, "err", err)
		return &streamFault{condition: "internal-server-error"}
	}
	if !ok {
		return nil
	}
	how := closeOrderly
	switch sw.RedirectEnd.Close {
	case "abrupt":
		how = closeAbrupt
	case "open":
		how = closeNever
	}
	e := el(nsStream, "error").with(el(nsStreams, "see-other-host").withText(target))
	ses.endWith(e, sw.RedirectEnd.Header, how)
	ses.srv.log.Info("redirected", "session", ses.number, "stage", stage, "to", target)
	return errEnded
}

// redirectTarget is the content of see-other-host for a connection to the given
// hop; false lets the connection in.
func (s *Server) redirectTarget(hop int, t *RedirectTarget) (string, bool, error) {
	if t.Form == "host" && t.Host == "" {
		return "", false, nil // no name that leads anywhere is configured
	}
	if !t.Loop {
		if t.Via == "self" {
			if t.Chain == 0 || s.selfCount.Add(1)%uint64(t.Chain+1) == 0 {
				return "", false, nil
			}
		} else if hop >= t.Chain {
			return "", false, nil
		}
	}
	switch t.Form {
	case "empty":
		return "", true, nil
	case "literal":
		return t.Text, true, nil
	case "unreachable":
		address, err := unusedAddress(s.ctx)
		return address, true, err
	}
	next := hop + 1
	if t.Loop || t.Via == "self" {
		next = hop
	}
	address, err := s.hopAddress(next, t)
	if err != nil {
		return "", false, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", false, fmt.Errorf("hop %d: %w", next, err)
	}
	switch t.Form {
	case "host":
		return t.Host, true, nil
	case "host_port":
		host := t.Host
		if host == "" {
			host = "LocalHost"
		}
		return host + ":" + port, true, nil
	default:
		return address, true, nil
	}
}

// hopAddress is where a hop listens; its listener is opened the first time.
func (s *Server) hopAddress(hop int, t *RedirectTarget) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return "", net.ErrClosed
	}
	for len(s.hops) <= hop {
		if len(s.hops) > maxRedirectHops {
			return "", fmt.Errorf("more than %d hops", maxRedirectHops)
		}
		address := "127.0.0.1:0"
		if t.Form == "ipv6" {
			address = "[::1]:0"
		}
		if i := len(s.hops) - 1; i < len(t.Listen) {
			address = t.Listen[i]
		}
		l, err := new(net.ListenConfig).Listen(s.ctx, "tcp", address)
		if err != nil {
			return "", fmt.Errorf("cannot listen for hop %d: %w", len(s.hops), err)
		}
		n := len(s.hops)
		s.hops = append(s.hops, l)
		s.wg.Go(func() { s.accept(l, n) })
	}
	address := s.hops[hop].Addr().String()
	if strings.HasPrefix(address, "[::]") { // listening everywhere: name the loopback address
		address = "[::1]" + address[4:]
	}
	return strings.Replace(address, "0.0.0.0:", "127.0.0.1:", 1), nil
}

// HopAddr is host:port of the n-th further listener for redirects, empty while
// nothing was redirected there.
func (s *Server) HopAddr(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 || n >= len(s.hops) {
		return ""
	}
	return s.hops[n].Addr().String()
}

// unusedAddress finds a loopback port where nobody listens.
func unusedAddress(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := l.Addr().(*net.TCPAddr)
	return "127.0.0.1:" + strconv.Itoa(address.Port), l.Close()
}
