package vcard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	fetchTimeout   = 20 * time.Second
	fetchRedirects = 3
	// maxHeader bounds the header of an answer.
	maxHeader = 32 << 10
)

// ErrAddress says that a photo's address is one that is not fetched from: not https, or not on the public internet.
var ErrAddress = errors.New("pictures are fetched from public https addresses only")

// ErrTooBig says that a photo is larger than MaxPhoto.
var ErrTooBig = errors.New("the picture is too big")

// FetcherOptions change what a Fetcher accepts; the zero value is right outside of tests.
type FetcherOptions struct {
	// Allow decides about each address that is about to be connected to, after the name was resolved and again for every
	// redirect. Nil means Public.
	Allow func(netip.AddrPort) error
	// Roots are the trusted certificates, the system's when nil.
	Roots *x509.CertPool
	// Timeout bounds a whole fetch; 20 seconds when zero.
	Timeout time.Duration
	// MaxBytes bounds a picture; MaxPhoto when zero.
	MaxBytes int64
}

// Fetcher gets photos by their addresses. It keeps no connections and may be used from several goroutines.
type Fetcher struct {
	client   *http.Client
	maxBytes int64
}

// NewFetcher makes a Fetcher.
func NewFetcher(opts FetcherOptions) *Fetcher {
	allow := opts.Allow
	if allow == nil {
		allow = Public
	}
	if opts.Timeout == 0 {
		opts.Timeout = fetchTimeout
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = MaxPhoto
	}
	dialer := &net.Dialer{
		Timeout: opts.Timeout,
		// Control sees the address that is really connected to, so a name cannot resolve to something else afterwards.
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return ErrAddress
			}
			return allow(to)
		},
	}
	return &Fetcher{
		maxBytes: opts.MaxBytes,
		client: &http.Client{
			Timeout: opts.Timeout,
			Transport: &http.Transport{
				// No proxy from the environment: it would do the connecting, and not ask allow.
				Proxy:                  nil,
				DialContext:            dialer.DialContext,
				TLSClientConfig:        &tls.Config{RootCAs: opts.Roots, MinVersion: tls.VersionTLS12},
				DisableKeepAlives:      true,
				MaxResponseHeaderBytes: maxHeader,
			},
			CheckRedirect: func(req *http.Request, via []*http.Request) error {
				if len(via) > fetchRedirects {
					return errors.New("too many redirects")
				}
				// Where the picture came from is nobody's business.
				req.Header.Del("Referer")
				return checkURL(req.URL)
			},
		},
	}
}

// Fetch gets the picture at an address. The data is checked to be a picture; the type that the server declares counts
// for nothing.
func (f *Fetcher) Fetch(ctx context.Context, address string) (Photo, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Photo{}, ErrAddress
	}
	if err := checkURL(u); err != nil {
		return Photo{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Photo{}, ErrAddress
	}
	req.Header.Set("Accept", "image/*")
	resp, err := f.client.Do(req)
	if err != nil {
		return Photo{}, fmt.Errorf("fetching a picture: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Photo{}, fmt.Errorf("fetching a picture: status %d", resp.StatusCode)
	}
	if resp.ContentLength > f.maxBytes {
		return Photo{}, ErrTooBig
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, f.maxBytes+1))
	if err != nil {
		return Photo{}, fmt.Errorf("fetching a picture: %w", err)
	}
	if int64(len(data)) > f.maxBytes {
		return Photo{}, ErrTooBig
	}
	typ, err := Sniff(data)
	if err != nil {
		return Photo{}, err
	}
	return Photo{Type: typ, Data: data}, nil
}

func checkURL(u *url.URL) error {
	if u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ErrAddress
	}
	return nil
}

// notPublic are the special-purpose networks (IANA's registries, RFC 6890) that the methods of netip.Addr do not know.
// Those that carry an IPv4 address inside (NAT64, 6to4, Teredo) are here because it may be a private one.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("5f00::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// Public refuses what is not the HTTPS port of an address on the public internet.
func Public(to netip.AddrPort) error {
	if to.Port() != 443 {
		return ErrAddress
	}
	addr := to.Addr().Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return ErrAddress
	}
	for _, prefix := range notPublic {
		if prefix.Contains(addr) {
			return ErrAddress
		}
	}
	return nil
}
