package scenario_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matrix-messenger/bridge/upkeep"
	"matrix-messenger/internal/postgres"
	"matrix-messenger/internal/scenario"
)

func migrate(t *testing.T, s *scenario.Scenario, config string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
	defer cancel()
	var out strings.Builder
	err := upkeep.Migrate(ctx, upkeep.MigrateOptions{Config: config, From: s.File("bridge.db")}, &out)
	return out.String(), err
}

func TestAConversationGoesOnInPostgreSQLAfterTheMigration(t *testing.T) {
	uri := postgres.Database(t)
	s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{"encryption": {"allow": true, "pickle_key": "scenario"}}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello Alice", "are you there?")
	s.RoomShows("mary", "hello Alice", "are you there?")
	s.UserSends("mary", "yes, I am")
	s.ContactReceives("mary", "yes, I am")
	s.TalkElsewhere("john", "john: hi", "me: hi John")
	s.RoomReads("john", "john: hi", "me: hi John")
	// Something waits on its way to Messenger, and some more will wait on the way to Matrix.
	s.ServiceGoesDown()
	s.UserSends("mary", "still on SQLite")
	s.BridgeHasHandledWhatIsIn("mary")
	s.StopBridge()
	s.UserSends("mary", "nobody runs now")
	rooms := []any{s.Room("mary"), s.Room("john")}
	before := s.Tables()
	s.Reconfigure(map[string]any{"database.type": "postgres", "database.uri": uri})
	out, err := migrate(t, s, s.ConfigFile())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.UseDatabase(uri)
	after := s.Tables()
	for table, rows := range before {
		if len(after[table]) != len(rows) {
			t.Errorf("%s had %d rows and has %d", table, len(rows), len(after[table]))
		}
	}
	if !strings.Contains(out, "Copied and compared") {
		t.Errorf("it says:\n%s", out)
	}
	// The old file is as it was, and must not be needed any more.
	if err = os.Rename(s.File("bridge.db"), s.File("old.db")); err != nil {
		t.Fatal(err)
	}
	s.ServiceComesBack()
	s.StartBridge()
	s.SessionIsUp()
	s.ContactReceives("mary", "still on SQLite", "nobody runs now")
	s.ServiceSends("mary", "you have moved")
	s.RoomShows("mary", "you have moved")
	s.UserSends("mary", "to PostgreSQL")
	s.ContactReceives("mary", "to PostgreSQL")
	s.KillBridge()
	s.ServiceSends("mary", "still there?")
	s.StartBridge()
	s.RoomShows("mary", "still there?")
	s.LastWords("john", "john: hi", "me: hi John")
	if now := []any{s.Room("mary"), s.Room("john")}; now[0] != rooms[0] || now[1] != rooms[1] {
		t.Errorf("the rooms were %v and are %v", rooms, now)
	}
	s.NothingElseWasSaid()
}

func TestAMigrationThatWouldGoWrongIsRefusedAndLeavesBothDatabasesAlone(t *testing.T) {
	uri := postgres.Database(t)
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "before")
	s.RoomShows("mary", "before")
	with := func(name string, values map[string]any) string {
		all := map[string]any{"database.type": "postgres", "database.uri": uri}
		for key, value := range values {
			all[key] = value
		}
		return s.ConfigWith(name, all)
	}
	good := with("good.yaml", nil)
	refused := func(what, config, part string) {
		t.Helper()
		if out, err := migrate(t, s, config); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
	refused("while the bridge runs", good, "stop the bridge first")
	s.StopBridge()
	refused("into SQLite", s.ConfigFile(), "database.type")
	refused("with the key of another bridge", with("key.yaml", map[string]any{"network.secret_key": strings.Repeat("other", 5)}), "secret_key")
	refused("with the identity of another bridge", with("bot.yaml", map[string]any{"appservice.bot.username": "otherbot"}), "appservice.bot.username")
	change(t, s, scenario.Options{}, "CREATE TABLE mine (x TEXT)")
	refused("with a stranger's table", good, "mine")
	change(t, s, scenario.Options{}, "DROP TABLE mine")
	change(t, s, scenario.Options{}, "UPDATE mx_version SET version=9")
	refused("from an older version", good, "start this version once with it")
	change(t, s, scenario.Options{}, "UPDATE mx_version SET version=1000")
	refused("from a newer version", good, "newer version")
	change(t, s, scenario.Options{}, "UPDATE mx_version SET version=11")
	// Whatever was refused left nothing behind, so that the next attempt finds an empty database.
	if out, err := migrate(t, s, good); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	refused("into a database that is not empty", good, "not empty")
	s.StartBridge() // with the old file, which nothing has happened to
	s.SessionIsUp()
	s.UserSends("mary", "after")
	s.ContactReceives("mary", "after")
}

func TestABackupMadeWhileTheBridgeRunsCanBeGoneOnWith(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "one")
	s.RoomShows("mary", "one")
	s.UserSends("mary", "two")
	s.ContactReceives("mary", "two")
	copied := filepath.Join(t.TempDir(), "copy.db")
	ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
	defer cancel()
	var out strings.Builder
	if err := upkeep.Backup(ctx, s.ConfigFile(), copied, &out); err != nil {
		t.Fatal(err)
	}
	if err := upkeep.Backup(ctx, s.ConfigFile(), copied, &out); err == nil {
		t.Error("a copy was overwritten")
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the copy: %v, %v", info.Mode(), err)
	}
	// What came after the copy is in the rooms and at the service, not in the copy.
	s.ServiceSends("mary", "after the copy")
	s.RoomShows("mary", "after the copy")
	s.UserSends("mary", "this too")
	s.ContactReceives("mary", "this too")
	s.KillBridge()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.File("bridge.db" + suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(copied, s.File("bridge.db")); err != nil {
		t.Fatal(err)
	}
	s.ServiceSends("mary", "while it was restored")
	s.StartBridge()
	s.SessionIsUp()
	s.RoomSees("mary", "while it was restored")
	s.UserSends("mary", "restored")
	s.ContactReceives("mary", "restored")
}
