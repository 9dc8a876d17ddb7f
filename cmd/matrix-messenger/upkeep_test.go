package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// configured is a configuration that is complete, with a SQLite database that is not there yet.
func configured(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "config.yaml")
	text := `
network: {secret_key: 0123456789abcdef0123456789abcdef}
homeserver: {address: "http://127.0.0.1:1", domain: example.org}
appservice: {as_token: a, hs_token: b}
bridge: {permissions: {example.org: user}}
database: {type: sqlite3-fk-wal, uri: "file:` + filepath.Join(filepath.Dir(file), "bridge.db") + `?_txlock=immediate"}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheSubcommandsForTheDatabaseSayWhatIsWrong(t *testing.T) {
	config := configured(t)
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []struct {
		args   []string
		status int
		part   string
	}{
		{[]string{"migrate-database", "-c", config}, 2, "--from"},
		{[]string{"migrate-database", "-c", config, "--from", "x.db", "more"}, 2, "Usage: matrix-messenger migrate-database"},
		{[]string{"migrate-database", "-c", config, "--from", "x.db"}, 1, `database.type: is "sqlite3-fk-wal"`},
		{[]string{"backup", "-c", config}, 2, "Usage: matrix-messenger backup"},
		{[]string{"backup", "-c", config, filepath.Join(t.TempDir(), "copy.db")}, 1, "The database cannot be read"},
		{[]string{"export", "-c", config}, 2, "Usage: matrix-messenger export"},
		{[]string{"export", "-c", config, "@alice:example.org"}, 1, "The database cannot be read"},
		{[]string{"export", "-c", filepath.Join(t.TempDir(), "none.yaml"), "@alice:example.org"}, 10, "none.yaml"},
	} {
		out, err := program(t, call.args...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != call.status || !strings.Contains(out, call.part) {
			t.Errorf("%v: %v, want %d with %q:\n%s", call.args, err, call.status, call.part, out)
		}
	}
	if after, err := os.ReadFile(config); err != nil || string(after) != string(before) {
		t.Error("the configuration was changed")
	}
	if _, err = os.Stat(filepath.Join(filepath.Dir(config), "bridge.db")); err == nil {
		t.Error("looking at a database that is not there made one")
	}
}
