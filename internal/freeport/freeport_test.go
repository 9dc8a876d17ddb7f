package freeport

import (
	"net"
	"strconv"
	"testing"
	"time"
)

func TestAFreePortIsNoneThatTheSystemGivesAway(t *testing.T) {
	for range 20 {
		port, err := Find("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if port < lowest || port >= highest {
			t.Fatalf("port %d", port)
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
	}
}

func TestAnAddressOfSomewhereElseIsAnError(t *testing.T) {
	if port, err := Find("192.0.2.1"); err == nil {
		t.Fatalf("found port %d", port)
	}
}

func TestAPortThatBecomesFreeIsGot(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	attempts := 0
	err = Retry(time.Minute, func() error {
		if attempts++; attempts == 3 {
			_ = other.Close()
		}
		mine, err := net.Listen("tcp", other.Addr().String())
		if err == nil {
			_ = mine.Close()
		}
		return err
	})
	if err != nil || attempts != 3 {
		t.Fatalf("%v after %d attempts", err, attempts)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err = Retry(0, func() error { _, err := net.Listen("tcp", taken.Addr().String()); return err }); err == nil {
		t.Error("a taken port was got")
	}
}
