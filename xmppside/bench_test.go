package xmppside_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

// benchServer in the environment makes the test program a Messenger service with so many accounts, so that the
// benchmark's own memory is that of the sessions alone.
const benchServer = "XMPPSIDE_BENCH_ACCOUNTS"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(benchServer)); err == nil {
		serveBench(n)
		return
	}
	os.Exit(m.Run())
}

type benchAddress struct {
	Addr string
	CA   []byte
}

func serveBench(n int) {
	cfg := messengerd.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Switches.RedirectStage = "none"
	for i := range n {
		account := messengerd.AccountConfig{JID: fmt.Sprintf("u%d@messenger.live.com", i)}
		for c := range 50 {
			account.Contacts = append(account.Contacts, messengerd.ContactConfig{
				Account: fmt.Sprintf("c%d-%d@messenger.live.com", i, c), Name: fmt.Sprintf("Contact number %d", c), Subscription: "both",
			})
		}
		cfg.Accounts = append(cfg.Accounts, account)
		cfg.Tokens = append(cfg.Tokens, messengerd.TokenConfig{Account: account.JID, Token: fmt.Sprintf("token-%d", i)})
	}
	server, err := messengerd.New(cfg)
	if err == nil {
		err = server.Start(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(benchAddress{server.Addr(), server.CAPEM()}); err != nil {
		os.Exit(1)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the benchmark has ended
	_ = server.Close()
}

type fixedToken string

func (t fixedToken) Token(context.Context, string) (string, error) { return string(t), nil }

// counter counts the accounts that are online.
type counter struct{ online *sync.WaitGroup }

func (c counter) Handle(_ context.Context, ev xmppside.Event) error {
	if state, ok := ev.(xmppside.StateEvent); ok && state.State == xmppside.Online {
		c.online.Done()
	}
	return nil
}

// BenchmarkIdleSessions signs in many accounts over real sockets and TLS, with fifty contacts each, and says what one
// that is idle costs.
func BenchmarkIdleSessions(b *testing.B) {
	const accounts = 2000
	for b.Loop() {
		server := exec.Command(os.Args[0])
		server.Env = append(os.Environ(), benchServer+"="+strconv.Itoa(accounts))
		server.Stderr = os.Stderr
		in, _ := server.StdinPipe()
		out, _ := server.StdoutPipe()
		if err := server.Start(); err != nil {
			b.Fatal(err)
		}
		var at benchAddress
		if err := json.NewDecoder(out).Decode(&at); err != nil {
			b.Fatal(err)
		}
		profile, err := messenger.NewProfile(messenger.Options{Address: at.Addr, Roots: authorities(at.CA)})
		if err != nil {
			b.Fatal(err)
		}
		service, err := xmppside.NewService(profile, xmppside.ServiceOptions{ConnectsPerSecond: 1000, Log: zerolog.Nop()})
		if err != nil {
			b.Fatal(err)
		}
		heap, stacks, rss, goroutines := memory(b)
		began := time.Now()
		var online, ended sync.WaitGroup
		online.Add(accounts)
		ctx, cancel := context.WithCancel(context.Background())
		for i := range accounts {
			account := xmppside.NewAccount(xmppside.AccountConfig{
				Service: service, Resource: "bridge", Tokens: fixedToken(fmt.Sprintf("token-%d", i)), Handler: counter{&online}, Log: zerolog.Nop(),
			})
			ended.Go(func() { account.Run(ctx) })
		}
		online.Wait()
		b.ReportMetric(time.Since(began).Seconds(), "s/all-online")
		heap2, stacks2, rss2, goroutines2 := memory(b)
		b.ReportMetric(float64(heap2-heap)/accounts, "heap-B/session")
		b.ReportMetric(float64(stacks2-stacks)/accounts, "stack-B/session")
		b.ReportMetric(float64(rss2-rss)/accounts, "rss-B/session")
		b.ReportMetric(float64(goroutines2-goroutines)/accounts, "goroutines/session")
		cancel()
		ended.Wait()
		_ = in.Close()
		_ = server.Wait()
	}
}

// memory is what this process holds, after a collection: heap and stacks, resident bytes, goroutines.
func memory(b *testing.B) (heap, stacks, rss int64, goroutines int) {
	for range 3 {
		debug.FreeOSMemory()
		time.Sleep(100 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("this machine does not say how much memory a process has")
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(line)[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return int64(m.HeapAlloc), int64(m.StackInuse), kib << 10, runtime.NumGoroutine()
}
