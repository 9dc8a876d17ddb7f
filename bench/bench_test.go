package main

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) != "" {
		main() // the test program plays the other processes, too
		return
	}
	os.Exit(m.Run())
}

// TestTheProgramMeasuresEveryBudget runs everything in the smallest size, so that the program keeps working. The numbers mean nothing.
func TestTheProgramMeasuresEveryBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	var table bytes.Buffer
	err := measure([]string{
		"-sessions", "2,4", "-contacts", "3", "-settle", "0s", "-outage", "500ms", "-out", t.TempDir(),
		"-logins", "2", "-chats", "4", "-messages", "40", "-pings", "8", "-presences", "150", "-archived", "4",
	}, &table, &report{t})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"resident per session, 2 of them, 3 contacts offline", "resident per session, 4 of them, 3 contacts online",
		"start with 4 logins", "reconnect storm, 4 sessions", "requests because of 150 presences",
		"time of a message to Matrix", "time of a message to Messenger", "messages a second to Matrix", "messages a second to Messenger", "history import: 4 chats",
	} {
		if !strings.Contains(table.String(), "| "+row) {
			t.Errorf("the table has no row about %q:\n%s", row, table.String())
		}
	}
}

// report is the test's log as a writer.
type report struct{ t *testing.T }

func (r *report) Write(line []byte) (int, error) {
	r.t.Logf("%s", line)
	return len(line), nil
}

func TestPercentilesAreByNearestRank(t *testing.T) {
	var a arrivals
	start := time.Unix(1000, 0)
	for i := 100; i >= 1; i-- {
		a.add(start, start.Add(time.Duration(i)*time.Millisecond))
	}
	for p, want := range map[float64]time.Duration{.5: 50 * time.Millisecond, .99: 99 * time.Millisecond, 1: 100 * time.Millisecond, 0: time.Millisecond} {
		if got := a.percentile(p); got != want {
			t.Errorf("percentile %v: %s instead of %s", p, got, want)
		}
	}
	if rate := a.rate(); math.Abs(rate-1000) > 1 {
		t.Errorf("rate %v", rate)
	}
}

func TestAStampSurvivesTheWay(t *testing.T) {
	before := time.Now()
	series, said, ok := readStamp(stamped("flood", 7))
	if !ok || series != "flood" || said.Before(before.Truncate(time.Microsecond)) || time.Since(said) > time.Minute {
		t.Errorf("got %q, %s, %t", series, said, ok)
	}
	if _, _, ok := readStamp("hello, this is no such message"); ok {
		t.Error("any text counts as stamped")
	}
}

func TestTheBusiestSecondSlides(t *testing.T) {
	at := func(ms ...int) (times []time.Time) {
		for _, m := range ms {
			times = append(times, time.UnixMilli(int64(m)))
		}
		return times
	}
	if got := busiest(at(0, 600, 1100, 1200, 1599, 3000), time.Second); got != 4 {
		t.Errorf("%d instead of 4", got)
	}
	if got := busiest(nil, time.Second); got != 0 {
		t.Errorf("%d in no time at all", got)
	}
}

func TestTheHeapIsSplitByWhoAllocated(t *testing.T) {
	const megabyte = 1 << 20
	by := splitHeap(strings.Join([]string{
		"heap profile: 3: 4194304 [9: 99] @ heap/1048576",
		"2: 2097152 [3: 3145728] @ 0x1 0x2",
		"#\t0x1\tbytes.growSlice+0x1\t\t/go/bytes/buffer.go:1",
		"#\t0x2\tcrypto/tls.(*Conn).Read+0x1\t/go/tls/conn.go:1",
		"#\t0x3\tmatrix-messenger/xmppside/session.(*Conn).fill+0x1\tconn.go:1",
		"",
		"1: 2097152 [1: 2097152] @ 0x3",
		"#\t0x3\tmatrix-messenger/bridge.newClient+0x1\tclient.go:1",
		"",
		"0: 0 [5: 512] @ 0x4",
		"#\t0x3\tmatrix-messenger/database.New+0x1\tdatabase.go:1",
	}, "\n"))
	if got := by["TLS"]; got < 2*megabyte || got > 2.5*megabyte {
		t.Errorf("TLS %v", got)
	}
	if got := by["bridge"]; got < 2*megabyte || got > 2.1*megabyte {
		t.Errorf("bridge %v", got)
	}
	if len(by) != 2 {
		t.Errorf("%v", by)
	}
}

func TestStolenTimeIsAShareOfAll(t *testing.T) {
	before, err := parseHostTimes("cpu  100 0 50 800 20 0 10 20 0 0\ncpu0 1 2 3\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseHostTimes("cpu  130 0 60 840 20 0 10 40 7 0\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := after.stolenSince(before); got != .2 {
		t.Errorf("%v stolen, want a fifth", got)
	}
	for _, text := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8 9 10"} {
		if _, err := parseHostTimes(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-sessions", "many"}, {"-sessions", "0"}, {"-only", "everything"}, {"-chats", "1000", "-logins", "1"}, {"-no-such"}} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
