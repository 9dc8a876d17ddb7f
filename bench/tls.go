package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// idleTLS measures what an idle TLS connection takes in a Go program, with a goroutine that waits for bytes and nothing else.
func idleTLS(n int, log *os.File) (float64, error) {
	server, err := startRole(roleTLS, log)
	if err != nil {
		return 0, err
	}
	defer server.kill()
	client, err := startRole(roleTLS, log)
	if err != nil {
		return 0, err
	}
	defer client.kill()
	var at tlsServer
	if err = server.call("listen", none{}, &at); err != nil {
		return 0, err
	}
	before, err := residentBytes(client.pid())
	if err != nil {
		return 0, err
	}
	if err = client.call("connect", tlsClients{at, n}, nil); err != nil {
		return 0, err
	}
	after, err := residentBytes(client.pid())
	return float64(after-before) / float64(n), err
}

// tlsServer is where the plain TLS server listens and what it shows.
type tlsServer struct {
	Addr string
	Cert []byte // DER
}

type tlsClients struct {
	Server tlsServer
	N      int
}

func serveTLS() error {
	var open []net.Conn // so that nothing is collected
	err := operations{
		"listen": operation(func(none) (tlsServer, error) { return listenTLS() }),
		"connect": operation(func(q tlsClients) (none, error) {
			pool := x509.NewCertPool()
			cert, err := x509.ParseCertificate(q.Server.Cert)
			if err != nil {
				return none{}, err
			}
			pool.AddCert(cert)
			config := &tls.Config{RootCAs: pool, ServerName: serviceDomain}
			var dialing errgroup.Group
			dialing.SetLimit(8)
			conns := make([]net.Conn, q.N)
			for i := range conns {
				dialing.Go(func() (err error) {
					conns[i], err = dialIdle(q.Server.Addr, config)
					return err
				})
			}
			if err = dialing.Wait(); err != nil {
				return none{}, err
			}
			open = append(open, conns...)
			settleHere()
			return none{}, nil
		}),
	}.serve()
	for _, conn := range open {
		_ = conn.Close()
	}
	return err
}

// dialIdle returns when the connection waits for bytes.
func dialIdle(addr string, config *tls.Config) (net.Conn, error) {
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go idle(conn, ready)
	return conn, <-ready
}

// idle reads what a session reads at least, a byte that says that it is signed in, and then waits.
func idle(conn net.Conn, ready chan<- error) {
	buf := make([]byte, 512)
	_, err := conn.Read(buf)
	ready <- err
	for err == nil {
		_, err = conn.Read(buf)
	}
}

func listenTLS() (tlsServer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tlsServer{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{serviceDomain}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tlsServer{}, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		return tlsServer{}, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "tls:", err)
				return
			}
			go func() {
				_, _ = conn.Write([]byte{1})
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return tlsServer{listener.Addr().String(), der}, nil
}
