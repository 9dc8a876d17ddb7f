package scenario_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/postgres"
	"matrix-messenger/internal/scenario"
)

// ready is the answer of the bridge's readiness.
type ready struct {
	Ready   bool
	Reasons []struct{ Check, Message string }
}

func (r ready) has(check string) bool {
	for _, reason := range r.Reasons {
		if reason.Check == check && strings.HasSuffix(reason.Message, ".") || reason.Check == check && strings.Contains(reason.Message, ". ") {
			return true
		}
	}
	return false
}

// awaitReady asks until the answer is as wanted, and checks that status and answer say the same.
func awaitReady(t *testing.T, s *scenario.Scenario, what string, wanted func(ready) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
	defer cancel()
	last := "no answer"
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.BridgeURL()+"/_matrix/mau/ready", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(request); err == nil {
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			last = resp.Status + " " + string(text)
			var answer ready
			if err = json.Unmarshal(text, &answer); err != nil {
				t.Fatalf("%v: %s", err, last)
			}
			if answer.Ready != (resp.StatusCode == http.StatusOK) || !answer.Ready && resp.StatusCode != http.StatusServiceUnavailable {
				t.Fatalf("status and answer differ: %s", last)
			}
			if wanted(answer) {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: the last answer was %s", what, last)
		case <-time.After(50 * time.Millisecond): // a probe is asked, as a probe is
		}
	}
}

func isReady(r ready) bool { return r.Ready }

func unready(check string) func(ready) bool { return func(r ready) bool { return r.has(check) } }

func TestReadinessTellsWhetherMessagesCanPass(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	awaitReady(t, s, "started", isReady)
	s.HomeserverGoesDown()
	awaitReady(t, s, "without a homeserver", unready("homeserver"))
	s.KillBridge()
	s.LaunchBridge()
	awaitReady(t, s, "starting without a homeserver", func(r ready) bool { return r.has("start") && r.has("homeserver") })
	s.HomeserverComesBack()
	s.BridgeIsReady()
	awaitReady(t, s, "with the homeserver", isReady)
	fault := s.HS.Fail(homeserver.To("whoami"), http.StatusUnauthorized, `{"errcode": "M_UNKNOWN_TOKEN", "error": "who?"}`, 0)
	awaitReady(t, s, "with a registration that is gone", unready("registration"))
	fault.Remove()
	awaitReady(t, s, "with the registration", isReady)
	fault = s.HS.Fail(homeserver.To("whoami"), http.StatusBadGateway, `{}`, 0)
	awaitReady(t, s, "with a homeserver in trouble", unready("homeserver"))
	fault.Remove()
	awaitReady(t, s, "at the end", isReady)
}

func TestReadinessTellsWhenNothingCanBeStored(t *testing.T) {
	t.Run("PostgreSQL refuses", func(t *testing.T) {
		uri := postgres.Schema(t, postgres.Database(t))
		s := scenario.Start(t, scenario.Options{Database: uri})
		awaitReady(t, s, "started", isReady)
		postgres.Exec(t, uri, `REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA `+schemaOf(t, uri)+` FROM CURRENT_USER`)
		awaitReady(t, s, "a server that only reads", unready("database"))
		postgres.Exec(t, uri, `GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA `+schemaOf(t, uri)+` TO CURRENT_USER`)
		awaitReady(t, s, "a server that writes again", isReady)
	})
	t.Run("SQLite is locked", func(t *testing.T) {
		s := scenario.Start(t, scenario.Options{})
		awaitReady(t, s, "started", isReady)
		db, err := sql.Open("sqlite3", "file:"+s.File("bridge.db")+"?_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		blocker, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		awaitReady(t, s, "somebody keeps the database locked", unready("database"))
		if err = blocker.Rollback(); err != nil {
			t.Fatal(err)
		}
		awaitReady(t, s, "the database is free", isReady)
	})
	t.Run("the disk is full", func(t *testing.T) {
		disk := filepath.Join(t.TempDir(), "disk")
		if err := os.Mkdir(disk, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("small", disk, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=8m"); err != nil {
			t.Skipf("only an administrator can make a small disk: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
		s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{
			"database": {"uri": "file:" + filepath.Join(disk, "bridge.db") + "?_txlock=immediate"},
		}})
		awaitReady(t, s, "started", isReady)
		ballast := filepath.Join(disk, "ballast")
		fill(t, ballast)
		awaitReady(t, s, "a full disk", unready("database"))
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		awaitReady(t, s, "room on the disk", isReady)
	})
}

// schemaOf is the schema in a PostgreSQL URI.
func schemaOf(t *testing.T, uri string) string {
	t.Helper()
	address, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return address.Query().Get("search_path")
}

// fill writes a file until the disk has no byte left.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 1<<16); len(block) > 0; {
		if _, err = file.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestProfilesAreServedOnlyWhenAskedForAndOnlyToWhomHasTheSecret(t *testing.T) {
	const path = "/debug/pprof/goroutine?debug=1"
	status := func(s *scenario.Scenario, secret string) int {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, s.BridgeURL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if secret != "" {
			request.Header.Set("Authorization", "Bearer "+secret)
		}
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	closed := scenario.Start(t, scenario.Options{})
	if got := status(closed, scenario.ProvisioningSecret); got != http.StatusNotFound {
		t.Errorf("by default they are served with %d", got)
	}
	open := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{"provisioning": {"debug_endpoints": true}}})
	for secret, want := range map[string]int{
		"": http.StatusUnauthorized, "a-wrong-secret-of-that-length": http.StatusUnauthorized, scenario.ProvisioningSecret: http.StatusOK,
	} {
		if got := status(open, secret); got != want {
			t.Errorf("with the secret %q: %d, not %d", secret, got, want)
		}
	}
}
