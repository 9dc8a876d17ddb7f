package messengerd_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

// benchContacts is how many contacts each account of the benchmark has.
const benchContacts = 50

// TestMain lets the test program be the server of BenchmarkIdleSessions, so
// that the memory of the server is measured without that of its clients.
func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv("MESSENGERD_BENCH_ACCOUNTS")); err == nil {
		benchServer(n)
		return
	}
	os.Exit(m.Run())
}

// benchServer serves n accounts in groups whose members all are contacts of
// each other, until its standard input ends.
func benchServer(n int) {
	cfg := messengerd.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Certificate.CAFile = os.Getenv("MESSENGERD_BENCH_CA")
	cfg.Switches.IdleCut = 0
	name := func(i int) string { return fmt.Sprintf("u%d@contoso.com", i) }
	for i := range n {
		a := messengerd.AccountConfig{Email: name(i), Name: fmt.Sprint("User ", i)}
		group := i - i%(benchContacts+1)
		for j := group; j < min(group+benchContacts+1, n); j++ {
			if j != i {
				a.Contacts = append(a.Contacts, messengerd.ContactConfig{Account: name(j)})
			}
		}
		cfg.Accounts = append(cfg.Accounts, a)
		cfg.Tokens = append(cfg.Tokens, messengerd.TokenConfig{Account: name(i), Token: fmt.Sprint("token", i)})
	}
	s, err := messengerd.New(cfg)
	if err == nil {
		err = s.Start(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Close()
}

// resident is the memory of a process in bytes (Linux).
func resident(b *testing.B, pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc here")
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib << 10
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// BenchmarkIdleSessions measures what a signed-in TLS session with 50 online
// contacts costs the server: 1,000 sessions, or MESSENGERD_BENCH_SESSIONS.
func BenchmarkIdleSessions(b *testing.B) {
	sessions := 1000
	if n, err := strconv.Atoi(os.Getenv("MESSENGERD_BENCH_SESSIONS")); err == nil {
		sessions = n
	}
	ca := b.TempDir() + "/ca.pem"
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "MESSENGERD_BENCH_ACCOUNTS="+strconv.Itoa(sessions), "MESSENGERD_BENCH_CA="+ca)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = stdin.Close(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	address := strings.TrimSpace(line)
	pem, err := os.ReadFile(ca)
	if err != nil {
		b.Fatal(err)
	}
	empty := resident(b, cmd.Process.Pid)
	for b.Loop() {
		began := time.Now()
		var wg sync.WaitGroup
		work := make(chan int)
		for range 8 {
			wg.Go(func() {
				for i := range work {
					benchLogin(b, address, pem, fmt.Sprint("token", i))
				}
			})
		}
		for i := range sessions {
			work <- i
		}
		close(work)
		wg.Wait()
		took := time.Since(began)
		b.ReportMetric(float64(sessions)/took.Seconds(), "logins/s")
		b.ReportMetric(float64(resident(b, cmd.Process.Pid)-empty)/float64(sessions)/1024, "KiB/session")
		b.ReportMetric(float64(empty)/(1<<20), "MiB-empty")
	}
}

// benchLogin signs in with little memory of its own and leaves the connection open.
func benchLogin(b *testing.B, address string, ca []byte, token string) {
	c := dial(b, nil, address)
	wait := func(until string) {
		var got []byte
		buf := make([]byte, 4096)
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		for !bytes.Contains(got, []byte(until)) {
			n, err := c.conn.Read(buf)
			if err != nil {
				b.Errorf("waiting for %s: %v", until, err)
				return
			}
			got = append(got, buf[:n]...)
		}
	}
	c.send(clientHeader)
	wait("</stream:features>")
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	wait("<proceed")
	if err := c.handshakeWith(ca, "messenger.live.com"); err != nil {
		b.Error(err)
		return
	}
	c.send(clientHeader)
	wait("</stream:features>")
	c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-MESSENGER-OAUTH2'>" + token + "</auth>")
	wait("<success")
	c.send(clientHeader)
	wait("</stream:features>")
	c.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	wait("</iq>")
	c.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/><iq type='get' id='last' to='messenger.live.com'><ping xmlns='urn:xmpp:ping'/></iq>")
	wait(`id="last"`)
	go func() { // takes the presence of those who come later
		_ = c.conn.SetReadDeadline(time.Time{})
		_, _ = io.Copy(io.Discard, c.conn)
	}()
}

// BenchmarkMessages measures messages from one client to another's.
func BenchmarkMessages(b *testing.B) {
	cfg := people()
	cfg.Accounts[1].Contact = false
	s := start(b, cfg)
	from, to := online(b, s, john, "r"), online(b, s, mary, "r")
	go func() {
		var batch strings.Builder
		for i := range b.N {
			batch.WriteString("<message type='chat' id='" + strconv.Itoa(i) + "' to='" + mary + "'><body>a message of usual length, with an &amp;</body></message>")
			if i%50 == 49 || i == b.N-1 {
				if _, err := io.WriteString(from.conn, batch.String()); err != nil {
					return
				}
				batch.Reset()
			}
		}
	}()
	b.ResetTimer()
	for range b.N {
		to.await("a message", func(n node) bool { return n.XMLName.Local == "message" })
		to.raw.Reset()
	}
}
