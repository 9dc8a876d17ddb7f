package messengerd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

// The two patterns that Microsoft's certificates had (protocol, section 2.2).
var gatewayNames = []string{"*.gateway.messenger.live.com", "*.gateway.edge.messenger.live.com"}

// authority signs server certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// certificates holds one server certificate for each value of the switch "certificate".
type certificates struct {
	ca    *authority
	kinds map[string]*tls.Certificate
}

func newCertificates(cfg CertificateConfig, domain string) (*certificates, error) {
	ca, err := loadOrMakeAuthority(cfg)
	if err != nil {
		return nil, err
	}
	stranger, err := newAuthority("Unknown root of messengerd")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	from, until := now.Add(-time.Hour), now.AddDate(2, 0, 0)
	c := &certificates{ca: ca, kinds: map[string]*tls.Certificate{}}
	for kind, make := range map[string]func() (*tls.Certificate, error){
		"domain":       func() (*tls.Certificate, error) { return ca.issue([]string{domain}, from, until) },
		"gateway":      func() (*tls.Certificate, error) { return ca.issue(gatewayNames, from, until) },
		"wrong_name":   func() (*tls.Certificate, error) { return ca.issue([]string{"wrong.example.org"}, from, until) },
		"unknown_root": func() (*tls.Certificate, error) { return stranger.issue([]string{domain}, from, until) },
		"expired": func() (*tls.Certificate, error) {
			return ca.issue([]string{domain}, now.AddDate(0, 0, -30), now.AddDate(0, 0, -1))
		},
	} {
		if c.kinds[kind], err = make(); err != nil {
			return nil, err
		}
	}
	if cfg.CertFile != "" {
		own, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate.cert_file: %w", err)
		}
		c.kinds["domain"] = &own
	}
	return c, nil
}

// loadOrMakeAuthority keeps the authority over restarts when it has files, so
// that clients that trust it go on doing so.
func loadOrMakeAuthority(cfg CertificateConfig) (*authority, error) {
	if cfg.CAFile == "" {
		return newAuthority("messengerd test authority")
	}
	keyFile := cfg.CAKeyFile
	if keyFile == "" {
		keyFile = cfg.CAFile + ".key"
	}
	ca, err := loadAuthority(cfg.CAFile, keyFile)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	if ca, err = newAuthority("messengerd test authority"); err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(ca.key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the authority's key: %w", err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	if err = os.WriteFile(keyFile, keyPEM, 0o600); err == nil {
		err = os.WriteFile(cfg.CAFile, ca.pem, 0o644) //nolint:gosec // a certificate is public
	}
	if err != nil {
		return nil, fmt.Errorf("certificate.ca_file: %w", err)
	}
	return ca, nil
}

func loadAuthority(certFile, keyFile string) (*authority, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("certificate.ca_file: %w", err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate.ca_key_file: %w", err)
	}
	block, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if block == nil || keyBlock == nil {
		return nil, fmt.Errorf("certificate.ca_file: %s or %s holds no PEM block; remove both to have new ones made", certFile, keyFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate.ca_file: %w", err)
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate.ca_key_file: %w", err)
	}
	return &authority{cert: cert, key: key, pem: certPEM}, nil
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot make the authority: %w", err)
	}
	return &authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

func (a *authority) issue(names []string, from, until time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate for %s: %w", names[0], err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // the system's random source never fails on supported systems
	}
	return n.Add(n, big.NewInt(1))
}
