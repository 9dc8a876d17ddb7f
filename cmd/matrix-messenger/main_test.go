package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"matrix-messenger/bridge/config"
)

// TestMain lets the test binary stand in for the program.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_THE_PROGRAM") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "RUN_THE_PROGRAM=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheExampleInTheRepositoryIsWhatTheProgramWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if out, err := program(t, "-e", "-c", file); err != nil {
		t.Fatal(err, out)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("../../config.example.yaml")
	if err != nil || string(kept) != string(written) {
		t.Errorf("config.example.yaml is not what -e writes (%v); write it anew", err)
	}
	for line := range strings.SplitSeq(config.Example, "\n") {
		if strings.TrimSpace(line) != "" && !strings.Contains(string(kept), line) {
			t.Errorf("the example lacks %q", line)
		}
	}
}

func TestVersionAndRunAreTheSameByName(t *testing.T) {
	short, err := program(t, "-v")
	if err != nil {
		t.Fatal(err, short)
	}
	long, err := program(t, "version")
	if err != nil || long != short || !strings.Contains(long, "matrix-messenger v") {
		t.Errorf("version says %q (%v), -v says %q", long, err, short)
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	plain, errPlain := program(t, "-c", missing)
	named, errNamed := program(t, "run", "-c", missing)
	if errPlain == nil || errNamed == nil || plain != named {
		t.Errorf("without a subcommand: %q; with run: %q", plain, named)
	}
}

func TestTheDoctorsExitStatusSaysWhetherSomethingFailed(t *testing.T) {
	out, err := program(t, "doctor", "-c", filepath.Join(t.TempDir(), "none.yaml"))
	var exit *exec.ExitError
	if !asExit(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(out, "fail  config: ") {
		t.Errorf("got %v: %s", err, out)
	}
	if out, err = program(t, "doctor", "--nonsense"); !asExit(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("got %v: %s", err, out)
	}
}

func TestAnUnknownKeyIsRefusedAndTheFileIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "network:\n    domian: example.org\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := program(t, "-c", file)
	if err == nil || !strings.Contains(out, "network.domian") {
		t.Errorf("got %v: %s", err, out)
	}
	if now, _ := os.ReadFile(file); string(now) != text {
		t.Errorf("the file was rewritten:\n%s", now)
	}
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}
