package e2e

import (
	"context"
	"log/slog"
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
	setup.Log = slog.New(slog.NewTextHandler(logWriter{t}, nil))
	building, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	w, err := world.New(building, setup)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.Report())
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return w, ctx
}

// logWriter passes the service's log to the test's.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(line []byte) (int, error) {
	w.t.Logf("messengerd: %s", line)
	return len(line), nil
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
