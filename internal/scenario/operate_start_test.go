package scenario_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"matrix-messenger/bridge/doctor"
	"matrix-messenger/internal/postgres"
	"matrix-messenger/internal/scenario"
)

// eachDatabase runs a scenario's test on SQLite and on PostgreSQL.
func eachDatabase(t *testing.T, test func(t *testing.T, opts scenario.Options)) {
	t.Run("SQLite", func(t *testing.T) { test(t, scenario.Options{}) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, scenario.Options{Database: postgres.Database(t)}) })
}

// change runs a statement on the bridge's database, beside the bridge.
func change(t *testing.T, s *scenario.Scenario, opts scenario.Options, statement string) {
	t.Helper()
	kind, uri := "postgres", opts.Database
	if uri == "" {
		kind, uri = "sqlite3", "file:"+s.File("bridge.db")
	}
	db, err := sql.Open(kind, uri)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestASecondProcessOnTheSameDatabaseIsRefusedAndDoesNotDisturbTheFirst(t *testing.T) {
	eachDatabase(t, func(t *testing.T, opts scenario.Options) {
		s := scenario.Start(t, opts)
		s.LoginWithToken()
		output := s.BridgeRefuses(s.ConfigFile())
		if !strings.Contains(output, "another process uses this database") {
			t.Errorf("it says:\n%s", output)
		}
		s.ServiceSends("mary", "still here?")
		s.RoomShows("mary", "still here?")
		s.UserSends("mary", "yes")
		s.ContactReceives("mary", "yes")
		if sessions := s.User().Sessions(); len(sessions) != 1 {
			t.Errorf("there are %d sessions", len(sessions))
		}
		s.RestartBridge() // the claim of a process that ended is free at once
		s.KillBridge()
		s.StartBridge()
		s.NothingElseWasSaid()
	})
}

func TestADatabaseOfAnotherBridgeIsRefusedByTheKeyThatDiffers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, opts scenario.Options) {
		s := scenario.Start(t, opts)
		s.StopBridge()
		for key, value := range map[string]string{
			"appservice.id": "other", "homeserver.domain": "other.example", "appservice.bot.username": "otherbot",
			"appservice.username_template": "other_{{.}}",
		} {
			file := s.ConfigWith("other.yaml", map[string]any{key: value})
			if output := s.BridgeRefuses(file); !strings.Contains(output, key) || !strings.Contains(output, "the database belongs to the bridge with") {
				t.Errorf("%s is refused with:\n%s", key, output)
			}
			ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
			defer cancel()
			doctor.Run(ctx, doctor.Options{Config: file}, func(r doctor.Result) {
				if r.Check == "database" && (r.Status != doctor.Fail || !strings.Contains(r.Message, key)) {
					t.Errorf("the doctor says %+v", r)
				}
			})
		}
		s.StartBridge() // and its own configuration is welcome
	})
}

func TestADatabaseThatANewerProgramHasUsedIsRefused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, opts scenario.Options) {
		for _, table := range []string{"version", "mx_version", "crypto_version", "messenger_version"} {
			t.Run(table, func(t *testing.T) {
				opts := opts // the tests run side by side
				if opts.Database != "" {
					opts.Database = postgres.Database(t)
				}
				opts.Sections = map[string]map[string]any{"encryption": {"allow": true, "pickle_key": "scenario"}}
				// Killed and not stopped, here and at the end: the framework's encryption may end an orderly stop just after the start with a status of its own.
				s := scenario.Start(t, opts)
				s.KillBridge()
				change(t, s, opts, "UPDATE "+table+" SET version=1000, compat=1000")
				if output := s.BridgeRefuses(s.ConfigFile()); !strings.Contains(output, "newer version of matrix-messenger") || !strings.Contains(output, table) {
					t.Errorf("it says:\n%s", output)
				}
				// A newer program that still lets older ones in is no obstacle.
				change(t, s, opts, "UPDATE "+table+" SET compat=1")
				s.StartBridge()
				s.KillBridge()
			})
		}
	})
}

func TestASignalJustAfterTheStartEndsTheBridgeInGoodOrder(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.StopBridge()
	s.Environ = []string{signalAtReady + "=1"}
	s.LaunchBridge()
	s.BridgeEnds()
	s.BridgeLogs("Shutdown complete")
}

func TestASignalEndsABridgeThatWaitsForTheHomeserver(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.StopBridge()
	s.HomeserverGoesDown()
	s.LaunchBridge()
	s.BridgeLogs("Request failed, retrying")
	s.StopBridge()
	s.HomeserverComesBack()
	s.StartBridge()
}

func TestTheLockBesideASQLiteDatabaseIsItsOwnFile(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	found, err := filepath.Glob(s.File("bridge.db.lock"))
	if err != nil || len(found) != 1 {
		t.Errorf("the lock is %v, %v", found, err)
	}
}
