package scenario_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"matrix-messenger/internal/scenario"
)

// manager is a service manager's end of the socket on which a service says how it is.
type manager struct {
	t      *testing.T
	socket *net.UnixConn
	file   string
}

// newManager listens. The path of a socket has to be short, which that of a test's folder need not be.
func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: file, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return &manager{t: t, socket: socket, file: file}
}

// hears waits for the next thing that the service says.
func (m *manager) hears() string {
	m.t.Helper()
	if err := m.socket.SetReadDeadline(time.Now().Add(scenario.StepTimeout)); err != nil {
		m.t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := m.socket.Read(buffer)
	if err != nil {
		m.t.Fatalf("the service manager hears nothing: %v", err)
	}
	return strings.TrimSpace(string(buffer[:n]))
}

// heardNothing tells whether nothing is waiting to be heard at this moment.
func (m *manager) heardNothing() bool {
	m.t.Helper()
	raw, err := m.socket.SyscallConn()
	if err == nil {
		err = m.socket.SetReadDeadline(time.Time{})
	}
	if err != nil {
		m.t.Fatal(err)
	}
	var waiting error
	err = raw.Read(func(fd uintptr) bool {
		_, _, waiting = syscall.Recvfrom(int(fd), make([]byte, 4096), syscall.MSG_DONTWAIT)
		return true
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return errors.Is(waiting, syscall.EAGAIN)
}

func TestTheServiceManagerIsToldThatTheBridgeIsUpAliveAndEnding(t *testing.T) {
	m := newManager(t)
	// A watchdog so short that it is heard at once; nothing is measured against it.
	s := scenario.Start(t, scenario.Options{Env: []string{"NOTIFY_SOCKET=" + m.file, "WATCHDOG_USEC=300000"}})
	if first := m.hears(); first != "READY=1" {
		t.Errorf("the first word is %q", first)
	}
	for range 3 {
		if alive := m.hears(); alive != "WATCHDOG=1" {
			t.Errorf("instead of a sign of life it says %q", alive)
		}
	}
	s.LoginWithToken()
	s.StopBridge()
	last := ""
	for last != "STOPPING=1" {
		if last = m.hears(); last != "WATCHDOG=1" && last != "STOPPING=1" {
			t.Errorf("at the end it says %q", last)
		}
	}
	if !m.heardNothing() {
		t.Error("it said more after it had announced its end")
	}
}

func TestABridgeThatWaitsForTheHomeserverIsNotUpYet(t *testing.T) {
	m := newManager(t)
	s := scenario.Start(t, scenario.Options{Env: []string{"NOTIFY_SOCKET=" + m.file}})
	if first := m.hears(); first != "READY=1" {
		t.Fatalf("the first word is %q", first)
	}
	s.StopBridge()
	if last := m.hears(); last != "STOPPING=1" {
		t.Errorf("without a watchdog it says %q", last)
	}
	s.HomeserverGoesDown()
	s.LaunchBridge()
	s.BridgeIsLive()
	if !m.heardNothing() {
		t.Error("it says that it is up while the homeserver is away")
	}
	s.HomeserverComesBack()
	s.BridgeIsReady()
	if again := m.hears(); again != "READY=1" {
		t.Errorf("when the homeserver is back it says %q", again)
	}
}
