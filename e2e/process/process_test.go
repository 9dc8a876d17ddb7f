package process

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAFailedProgramShowsItsLastLines(t *testing.T) {
	err := Run(limit(t), Spec{Name: "example", Path: "/bin/sh", Args: []string{"-c", "echo first; echo the reason >&2; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "the reason") || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("error is %v", err)
	}
}

func TestOutputIsSeenLineByLineAndKeptInTheFile(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	file := filepath.Join(t.TempDir(), "logs", "example.log")
	p, err := Start(Spec{
		Name: "example", Path: "/bin/sh", Args: []string{"-c", `printf 'one\ntwo\nunfinished'`}, LogFile: file,
		OnLine: func(line string) { mu.Lock(); seen = append(seen, line); mu.Unlock() },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(limit(t)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(seen, ","); got != "one,two,unfinished" {
		t.Errorf("lines seen: %s", got)
	}
	if !p.Contains("two\nunfinished") || p.Contains("three") {
		t.Error("the log file does not hold what was printed")
	}
}

func TestStopEndsAProgramThatHeedsIt(t *testing.T) {
	p, err := Start(Spec{Name: "polite", Path: "/bin/sleep", Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("the program still runs after Stop")
	}
}

func TestRunEndsTheProgramWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(limit(t))
	seen := make(chan struct{})
	var once sync.Once
	go func() { <-seen; cancel() }()
	err := Run(ctx, Spec{
		Name: "endless", Path: "/bin/sh", Args: []string{"-c", "echo up; exec sleep 600"},
		OnLine: func(string) { once.Do(func() { close(seen) }) },
	})
	if err != context.Canceled {
		t.Fatalf("error is %v", err)
	}
}

func TestWaitListeningNoticesAProgramThatEnds(t *testing.T) {
	address, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(Spec{Name: "example", Path: "/bin/sh", Args: []string{"-c", "echo cannot listen; exit 1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitListening(limit(t), address); err == nil || !strings.Contains(err.Error(), "cannot listen") {
		t.Fatalf("error is %v", err)
	}
}

func TestWaitListeningReturnsOnceThePortAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p, err := Start(Spec{Name: "example", Path: "/bin/sleep", Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if err := p.WaitListening(limit(t), listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
}

func TestALockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan struct{})
	go func() {
		second, err := Lock(path)
		if err == nil {
			second()
		}
		close(got)
	}()
	select {
	case <-got:
		t.Fatal("a second holder got the lock while it was held")
	case <-time.After(100 * time.Millisecond):
	}
	unlock()
	select {
	case <-got:
	case <-time.After(30 * time.Second):
		t.Fatal("the lock was not handed on")
	}
}
