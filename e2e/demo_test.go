package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"matrix-messenger/e2e/process"
)

func TestTheDemoShowsAConversationAndCleansUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	program := filepath.Join(t.TempDir(), "demo")
	must(t, process.Run(ctx, process.Spec{
		Name: "building the demo", Path: "go", Args: []string{"build", "-tags", "goolm", "-o", program, "./cmd/demo"},
	}))
	temp := t.TempDir()
	demo, err := process.Start(process.Spec{
		Name: "demo", Path: program, Args: []string{"-once", "-web=false"}, Env: []string{"TMPDIR=" + temp},
	})
	must(t, err)
	defer demo.Kill()
	must(t, demo.Wait(ctx))
	shown := demo.Tail(200)
	for _, text := range []string{
		"Hello Erika, can you hear me?", // by John and, as an echo, by Erika
		"Through a bridge: you see me in Messenger",
		"Talk to you later",
		"Anna Away is away", "Anna Away is online",
		"First message",
	} {
		if !strings.Contains(shown, text) {
			t.Errorf("%q was not shown", text)
		}
	}
	if count := strings.Count(shown, "Hello Erika, can you hear me?"); count != 2 {
		t.Errorf("John's words and their echo were shown %d times", count)
	}
	left, err := filepath.Glob(filepath.Join(temp, "*demo*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("the demo left %q behind", left)
	}
	if t.Failed() {
		t.Log(shown)
	}
}
