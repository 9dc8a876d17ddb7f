package database

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"matrix-messenger/internal/postgres"
)

// eachURI runs a test with the type and URI of a fresh database of each engine.
func eachURI(t *testing.T, test func(t *testing.T, kind, uri string)) {
	t.Run("SQLite", func(t *testing.T) {
		test(t, "sqlite3-fk-wal", "file:"+filepath.Join(t.TempDir(), "bridge.db")+"?_txlock=immediate")
	})
	t.Run("PostgreSQL", func(t *testing.T) { test(t, "postgres", postgres.Database(t)) })
}

func claim(t *testing.T, kind, uri string, names ...string) *Claim {
	t.Helper()
	claim, err := TakeClaim(t.Context(), kind, uri, names...)
	must(t, err)
	t.Cleanup(func() { _ = claim.Release() })
	return claim
}

func TestADatabaseHasOneUserAtATime(t *testing.T) {
	eachURI(t, func(t *testing.T, kind, uri string) {
		first := claim(t, kind, uri, "bot")
		_, err := takeClaim(t.Context(), 0, kind, uri, []string{"bot"})
		if !errors.Is(err, ErrInUse) {
			t.Fatalf("a second claim: %v", err)
		}
		if kind != "postgres" && !strings.Contains(err.Error(), "process ") {
			t.Errorf("who holds it is not told: %v", err)
		}
		if kind == "postgres" && !strings.Contains(err.Error(), "127.0.0.1 since 2") {
			t.Errorf("who holds it is not told: %v", err)
		}
		must(t, first.Release())
		must(t, first.Release())
		claim(t, kind, uri, "bot")
	})
}

func TestAClaimIsWaitedForWhileTheOneBeforeIsClosing(t *testing.T) {
	eachURI(t, func(t *testing.T, kind, uri string) {
		first := claim(t, kind, uri)
		released := make(chan error, 1)
		go func() {
			pause(context.Background(), 3*claimPause)
			released <- first.Release()
		}()
		claim(t, kind, uri)
		must(t, <-released)
	})
}

func TestASQLiteClaimEndsWithItsProcess(t *testing.T) {
	uri := "file:" + filepath.Join(t.TempDir(), "bridge.db")
	if at := os.Getenv("CLAIM_AND_DIE"); at != "" {
		_, err := TakeClaim(context.Background(), "sqlite3-fk-wal", at)
		if err != nil {
			os.Exit(3)
		}
		os.Exit(4)
	}
	child := exec.Command(os.Args[0], "-test.run", "^TestASQLiteClaimEndsWithItsProcess$")
	child.Env = append(os.Environ(), "CLAIM_AND_DIE="+uri)
	var exit *exec.ExitError
	if err := child.Run(); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Fatalf("the child: %v", err)
	}
	claim(t, "sqlite3-fk-wal", uri)
}

func TestSchemasOfOneDatabaseAreClaimedApartAndBotsOnlyOnce(t *testing.T) {
	database := postgres.Database(t)
	first, second, third := postgres.Schema(t, database), postgres.Schema(t, database), postgres.Schema(t, database)
	claim(t, "postgres", first, "bot @one:example.org")
	claim(t, "postgres", second, "bot @two:example.org")
	if _, err := takeClaim(t.Context(), 0, "postgres", third, []string{"bot @one:example.org"}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "@one:example.org") {
		t.Errorf("the same bot twice: %v", err)
	}
	claim(t, "postgres", third, "bot @three:example.org")
}

func TestASchemaThatIsMissingOrMixedUpIsRefused(t *testing.T) {
	database := postgres.Database(t)
	if _, err := TakeClaim(t.Context(), "postgres", strings.Replace(database, "?", "?search_path=nowhere&", 1)); !errors.Is(err, ErrNoSchema) {
		t.Errorf("a schema that does not exist: %v", err)
	}
	postgres.Exec(t, database, "CREATE TABLE public.messenger_version (version INTEGER)", "CREATE SCHEMA other")
	if _, err := TakeClaim(t.Context(), "postgres", strings.Replace(database, "?", "?search_path=other&", 1)); !errors.Is(err, ErrMixedSchemas) || !strings.Contains(err.Error(), `"public"`) {
		t.Errorf("a role that sees another bridge's tables: %v", err)
	}
	claim(t, "postgres", postgres.Schema(t, database)) // sees its own schema only
}

func TestAClaimIsTakenAgainAfterTheServerRestarted(t *testing.T) {
	uri := postgres.Database(t)
	held := claim(t, "postgres", uri).held.(*postgresClaim)
	postgres.Restart(t)
	if held.lives(t.Context()) {
		t.Fatal("the connection has survived")
	}
	// As keep does, without its pause.
	held.cancel()
	held.watch.Wait()
	held.drop()
	must(t, held.take(t.Context()))
	if _, err := takeClaim(t.Context(), 0, "postgres", uri, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("somebody else got it: %v", err)
	}
}

func TestAClaimThatSomebodyElseTookIsLostAndItsOwnGhostIsNot(t *testing.T) {
	uri := postgres.Database(t)
	held := claim(t, "postgres", uri).held.(*postgresClaim)
	held.cancel()
	held.watch.Wait()
	if !held.isOurs(t.Context()) {
		t.Error("its own connection counts as somebody else's")
	}
	held.drop()
	other := claim(t, "postgres", uri)
	if held.isOurs(t.Context()) {
		t.Error("somebody else's connection counts as its own")
	}
	must(t, other.Release())
}

func TestADatabaseIsBoundToOneBridge(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		own := []Owner{{"homeserver.domain", "example.org"}, {"appservice.id", "messenger"}}
		for range 2 {
			must(t, db.CheckOwner(t.Context(), own))
		}
		own[1].Value = "other"
		var refused *NotOwnerError
		if err := db.CheckOwner(t.Context(), own); !errors.As(err, &refused) || refused.Key != "appservice.id" || refused.Belongs != "messenger" {
			t.Errorf("another bridge: %v", err)
		}
	})
}
