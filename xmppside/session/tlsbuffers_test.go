package session

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

// TestABufferThatGrewForABigStanzaIsGivenBack reads a large stanza and a small one over TLS, and looks at what is held while nothing comes.
func TestABufferThatGrewForABigStanzaIsGivenBack(t *testing.T) {
	near, far := net.Pipe()
	certificate, _ := testCertificate()
	server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true})
	client := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
	big := "<message><body>" + strings.Repeat("a", 200<<10) + "</body></message>"
	stanzas := []string{big, "<presence/>", big, "<presence/>"}
	sent := make(chan error, 1)
	go func() {
		_, err := server.Write([]byte(serverHeader))
		for _, stanza := range stanzas {
			if err == nil {
				_, err = server.Write([]byte(stanza))
			}
		}
		sent <- err
	}()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	conn := newConn(client, 1<<20, time.Minute)
	if conn.tls == nil {
		t.Fatal("crypto/tls has other fields than it had: see what became of its buffers, and whether they still need to be given back")
	}
	in, _, err := newXMLReader(conn)
	if err != nil {
		t.Fatal(err)
	}
	grew := false
	for i := range stanzas {
		if _, err := in.next(); err != nil {
			t.Fatal(err)
		}
		grew = grew || conn.tls.records.Cap() > 8<<10
		if err := in.skip(); err != nil {
			t.Fatal(err)
		}
		if i == len(stanzas)-1 {
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		}
	}
	if !grew {
		t.Error("the buffer for records never grew, so this test shows nothing")
	}
	// Nothing comes any more: the next wait ends with the connection.
	go func() { _ = server.Close() }()
	if err := conn.Wait(); err == nil {
		t.Error("something came after the end")
	}
	for what, held := range map[string]int{
		"records": conn.tls.records.Cap() - idleRecords, "the handshake": conn.tls.handshake.Cap() - idleHandshake,
		"the stanza": cap(conn.tap) - idleTap, "reading": cap(conn.buf) - readBuffer,
	} {
		if held > 0 {
			t.Errorf("%d bytes too many are kept for %s", held, what)
		}
	}
}
