package e2e

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"matrix-messenger/e2e/world"
)

// patience is the safety net of a whole test; nothing is measured against it.
const patience = 4 * time.Minute

// buildPatience covers the first compilation of a homeserver.
const buildPatience = 20 * time.Minute

// newWorld makes a world with a running bridge, ended and checked at the end of the test.
func newWorld(t *testing.T, setup world.Setup) (*world.World, context.Context) {
	t.Helper()
	w, ctx := newWorldWithoutBridge(t, setup)
	if err := w.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return w, ctx
}

// newWorldWithoutBridge makes a world whose bridge is set up but does not run.
func newWorldWithoutBridge(t *testing.T, setup world.Setup) (*world.World, context.Context) {
	t.Helper()
	setup.Dir = t.TempDir()
	service := new(lines)
	setup.Log = slog.New(slog.NewTextHandler(service, nil))
	building, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	w, err := world.New(building, setup)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s--- service\n%s", w.Report(), service)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return w, ctx
}

// lines keeps what a program printed, for the end of a test that fails: printed at once it would stand before what went wrong.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// must ends the test when a step failed.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signIn signs John in and fails the test otherwise.
func signIn(t *testing.T, ctx context.Context, w *world.World) {
	t.Helper()
	must(t, w.SignIn(ctx))
}
