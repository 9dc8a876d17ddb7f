package session

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// dribble writes a few bytes at a time, so that records and stanzas arrive in pieces.
type dribble struct {
	net.Conn
	piece int
}

func (d *dribble) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n, err := d.Conn.Write(p[done:min(done+d.piece, len(p))])
		done += n
		if err != nil {
			return done, err
		}
	}
	return len(p), nil
}

// connected is a connection of the system with TLS on it, and its far end.
func connected(t *testing.T, piece int, version uint16) (near *Conn, far *tls.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	certificate, _ := testCertificate()
	accepted := make(chan *tls.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			accepted <- nil
			return
		}
		server := tls.Server(&dribble{conn, piece}, &tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: version})
		_ = server.Handshake() // the client's fails, too
		accepted <- server
	}()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	beneath := gateTo(raw)
	if beneath == nil {
		t.Skip("this system cannot be asked whether something has arrived")
	}
	client := tls.Client(beneath, &tls.Config{InsecureSkipVerify: true})
	if err = client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if far = <-accepted; far == nil {
		t.Fatal("nobody was accepted")
	}
	t.Cleanup(func() { _ = raw.Close(); _ = far.NetConn().Close() })
	near = newConn(client, 1<<20, time.Minute)
	if near.gate == nil {
		t.Fatal("the gate is not found again")
	}
	near.calm = true
	return near, far
}

func TestStanzasArriveWholeThroughTheGateHoweverTheyAreCut(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, piece := range []int{1, 3, 5, 64, 4096} {
			t.Run(fmt.Sprintf("%s in pieces of %d", tls.VersionName(version), piece), func(t *testing.T) {
				conn, far := connected(t, piece, version)
				stanzas := []string{`<message id="1"/>`, " \n ", `<message id="2">` + strings.Repeat("x", 3000) + `</message><message id="3"/>`, `<message id="4"/>`}
				sent := make(chan error, 1)
				go func() {
					_, err := far.Write([]byte(serverHeader))
					for _, stanza := range stanzas {
						if err == nil {
							_, err = far.Write([]byte(stanza))
						}
					}
					sent <- errors.Join(err, far.Close())
				}()
				in, _, err := newXMLReader(conn)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"1", "2", "3", "4"} {
					if err = conn.Wait(); err != nil {
						t.Fatal(err)
					}
					start, err := in.next()
					if err != nil || attr(start, "id") != want {
						t.Fatalf("%v, %v instead of %s", start, err, want)
					}
					if err = in.skip(); err != nil {
						t.Fatal(err)
					}
					in.rest()
				}
				if err = <-sent; err != nil {
					t.Fatal(err)
				}
				if err = conn.Wait(); readFailure(err).Cause != Lost {
					t.Errorf("at the end: %v", err)
				}
			})
		}
	}
}

func TestWhatEndsTheWaitForAStanzaIsToldAsARead(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(near *Conn, far *tls.Conn)
		want func(error) bool
	}{
		"the last deadline": {
			func(near *Conn, _ *tls.Conn) { near.endBy(time.Now()) },
			func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) },
		},
		"closed here": {
			func(near *Conn, _ *tls.Conn) { _ = near.Close() },
			func(err error) bool { return errors.Is(err, net.ErrClosed) },
		},
		"closed there": {
			func(_ *Conn, far *tls.Conn) { _ = far.NetConn().Close() },
			func(err error) bool { return readFailure(err).Cause == Lost && !isTimeout(err) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := connected(t, 4096, tls.VersionTLS13)
			waiting := make(chan struct{})
			ask := near.gate.readable
			asked, held := false, 0
			near.gate.readable = func(fd uintptr) bool {
				if !near.gate.shut && !asked { // not the read, but the wait
					asked, held = true, near.tls.records.Cap()+near.tls.handshake.Cap()+cap(near.tap)+cap(near.buf)
					close(waiting)
				}
				return ask(fd)
			}
			ended := make(chan error, 1)
			go func() { ended <- near.Wait() }()
			<-waiting
			tt.end(near, far)
			if err := <-ended; !tt.want(err) {
				t.Errorf("the wait ended with %v", err)
			}
			if held > 0 {
				t.Errorf("%d bytes were held while nothing came", held)
			}
		})
	}
}

func TestADeadlineThatPassesEndsTheWait(t *testing.T) {
	near, _ := connected(t, 4096, tls.VersionTLS13)
	near.setIdleDeadline(time.Now().Add(10 * time.Millisecond))
	if err := near.Wait(); !isTimeout(err) || errors.Is(err, errNothingYet) {
		t.Errorf("the wait ended with %v", err)
	}
}
