package scenario

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"matrix-messenger/internal/freeport"
)

var (
	scenarios atomic.Int32 // how many were started in this process
	parallel  sync.Map     // the tests that run side by side, *testing.T to true
)

// loopback is an address of this machine that no other scenario uses, also not one of another process, so that a port
// chosen a moment ago, or given up by a program that restarts, is not taken by somebody else. Where only 127.0.0.1
// is there (not Linux), that is the answer.
func loopback() string {
	n := scenarios.Add(1)
	address := fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()%250, n/250%250, 1+n%250)
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return "127.0.0.1"
	}
	_ = listener.Close()
	return address
}

// FreeAddress is host:port of a loopback address where nobody listens and no other scenario will.
func FreeAddress(t testing.TB) string {
	t.Helper()
	host := loopback()
	port, err := freeport.Find(host)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// sideBySide lets a test's scenario run beside others, the first time it is called for that test: most of a scenario is waiting.
func sideBySide(t testing.TB) {
	test, ok := t.(*testing.T)
	if !ok {
		return // a benchmark
	}
	if _, before := parallel.LoadOrStore(test, true); before {
		return
	}
	test.Cleanup(func() { parallel.Delete(test) })
	test.Parallel()
}

// perProcessor is how many scenarios run at a time for each processor, without -parallel: they wait more than they work.
const perProcessor = 3

// runSideBySide lets that many tests run at a time, unless the command line says how many.
func runSideBySide() {
	_ = flag.Set("test.parallel", strconv.Itoa(perProcessor*runtime.GOMAXPROCS(0)))
}
