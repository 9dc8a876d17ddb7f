package xmppside

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// defaultPort is where a host without a port is reached (RFC 6120, 3.2.2; messenger-protocol.md 2.1).
const defaultPort = 5222

var errTarget = errors.New("not a host, host:port, address or [address]:port")

// target is where to connect to.
type target struct {
	host string // an IP address without brackets, or a name in lower case without its final dot
	port uint16 // 0: none was given
	ip   bool
}

// address is the target for a DialFunc.
func (t target) address() string {
	port := t.port
	if port == 0 {
		port = defaultPort
	}
	return net.JoinHostPort(t.host, strconv.Itoa(int(port)))
}

// parseTarget reads what see-other-host and the configuration name (RFC 6120, 4.9.3.19; messenger-protocol.md 2.4): a
// domain name, an IPv4 address, an IPv6 address in brackets, each with or without a port. White space around it is
// allowed, letter case does not matter.
func parseTarget(s string) (target, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 300 {
		return target{}, errTarget
	}
	host, port := s, ""
	bracketed := false
	if rest, ok := strings.CutPrefix(s, "["); ok {
		bracketed = true
		host, port, ok = strings.Cut(rest, "]")
		if !ok {
			return target{}, errTarget
		}
		if port != "" {
			if port, ok = strings.CutPrefix(port, ":"); !ok || port == "" {
				return target{}, errTarget
			}
		}
	} else if name, p, ok := strings.Cut(s, ":"); ok {
		if strings.Contains(p, ":") {
			// Lenient: a bare IPv6 address, which the RFC wants in brackets.
			host, port, bracketed = s, "", true
		} else if host, port = name, p; p == "" {
			return target{}, errTarget
		}
	}
	t := target{}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '+' {
			return target{}, errTarget
		}
		t.port = uint16(n)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Is6() != bracketed || ip.Zone() != "" {
			return target{}, errTarget
		}
		t.host, t.ip = ip.Unmap().String(), true
		return t, nil
	}
	if bracketed {
		return target{}, errTarget
	}
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || name == "" || len(name) > 253 || strings.ContainsAny(name, " \t\r\n/@?#%\\") {
		return target{}, errTarget
	}
	if again, err := idna.Lookup.ToASCII(name); err != nil || again != name {
		return target{}, errTarget // made of characters that no name has
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return target{}, errTarget // an address with a dot behind it
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return target{}, errTarget
		}
	}
	t.host = strings.ToLower(name)
	return t, nil
}
