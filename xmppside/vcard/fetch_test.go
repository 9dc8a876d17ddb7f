package vcard

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

func TestOnlyPublicAddressesAreFetchedFrom(t *testing.T) {
	for _, c := range []struct {
		addr string
		ok   bool
	}{
		{"93.184.216.34:443", true},
		{"[2606:2800:220:1:248:1893:25c8:1946]:443", true},
		{"93.184.216.34:80", false},
		{"93.184.216.34:8448", false},
		{"127.0.0.1:443", false},
		{"127.8.8.8:443", false},
		{"0.0.0.0:443", false},
		{"10.1.2.3:443", false},
		{"172.16.0.1:443", false},
		{"192.168.1.1:443", false},
		{"169.254.169.254:443", false},
		{"100.64.0.1:443", false},
		{"198.18.0.1:443", false},
		{"224.0.0.1:443", false},
		{"255.255.255.255:443", false},
		{"[::1]:443", false},
		{"[::]:443", false},
		{"[::ffff:127.0.0.1]:443", false},
		{"[::ffff:10.0.0.1]:443", false},
		{"[::ffff:93.184.216.34]:443", true},
		{"[::10.0.0.1]:443", false},
		{"[64:ff9b::10.0.0.1]:443", false},
		{"[2002:a00:1::]:443", false},
		{"[2001:0:1::1]:443", false},
		{"[fe80::1%25eth0]:443", false},
		{"[fc00::1]:443", false},
		{"[fd12::1]:443", false},
		{"[ff02::1]:443", false},
		{"[2001:db8::1]:443", false},
	} {
		if err := Public(netip.MustParseAddrPort(strings.Replace(c.addr, "%25", "%", 1))); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.addr, err)
		}
	}
}

// site is an https server, and a Fetcher that trusts and may reach it.
func site(t *testing.T, handler http.HandlerFunc) (*httptest.Server, FetcherOptions) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, FetcherOptions{Roots: roots, Allow: func(netip.AddrPort) error { return nil }}
}

func TestFetchingAPicture(t *testing.T) {
	big := append(bytes.Clone(gif), make([]byte, MaxPhoto)...)
	server, opts := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(gif)
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://example.org/a.gif", http.StatusFound)
		case "/page":
			w.Header().Set("Content-Type", "image/gif")
			_, _ = w.Write([]byte("<html>"))
		case "/big":
			_, _ = w.Write(big)
		case "/stream":
			w.(http.Flusher).Flush() // no length is known
			_, _ = w.Write(big)
		default:
			http.NotFound(w, r)
		}
	})
	f := NewFetcher(opts)
	for _, c := range []struct {
		path string
		ok   bool
		err  error
	}{
		{"/ok", true, nil},
		{"/moved", true, nil},
		{"/loop", false, nil},
		{"/plain", false, ErrAddress},
		{"/page", false, ErrNoImage},
		{"/big", false, ErrTooBig},
		{"/stream", false, ErrTooBig},
		{"/none", false, nil},
	} {
		t.Run(c.path, func(t *testing.T) {
			photo, err := f.Fetch(context.Background(), server.URL+c.path)
			if (err == nil) != c.ok || c.err != nil && !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if c.ok && (photo.Type != "image/gif" || !bytes.Equal(photo.Data, gif)) {
				t.Errorf("%+v", photo)
			}
		})
	}
	for _, address := range []string{
		"", "ftp://x.org/a", strings.Replace(server.URL, "https", "http", 1) + "/ok", "https://", "https:///x",
		strings.Replace(server.URL, "https://", "https://user:pw@", 1) + "/ok", "https://x\n.org", "data:image/gif;base64,R0lGODlh",
	} {
		if _, err := f.Fetch(context.Background(), address); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestTheMachineItselfIsNotAsked(t *testing.T) {
	var asked atomic.Bool
	server, opts := site(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	opts.Allow = nil
	if _, err := NewFetcher(opts).Fetch(context.Background(), server.URL); !errors.Is(err, ErrAddress) || asked.Load() {
		t.Errorf("%v, asked %v", err, asked.Load())
	}
}

func TestARedirectToTheMachineItselfIsNotFollowed(t *testing.T) {
	var asked atomic.Bool
	inside, _ := site(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	outside, opts := site(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) })
	public := netip.MustParseAddrPort(outside.Listener.Addr().String())
	opts.Allow = func(to netip.AddrPort) error {
		if to == public {
			return nil
		}
		return Public(to)
	}
	if _, err := NewFetcher(opts).Fetch(context.Background(), outside.URL); !errors.Is(err, ErrAddress) || asked.Load() {
		t.Errorf("%v, asked %v", err, asked.Load())
	}
}

func TestAnUntrustedSiteIsNotAsked(t *testing.T) {
	var asked atomic.Bool
	server, opts := site(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	opts.Roots = x509.NewCertPool()
	if _, err := NewFetcher(opts).Fetch(context.Background(), server.URL); err == nil || asked.Load() {
		t.Errorf("%v, asked %v", err, asked.Load())
	}
}
