package database

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

func TestTheTablesAreCreatedBeforeBridgev2HasAny(t *testing.T) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		parent := open()
		for range 2 { // the second start finds them
			db := New(parent, zerolog.Nop())
			must(t, db.Upgrade(t.Context()))
			db.Close()
		}
	})
}

func TestADatabaseOfANewerProgramIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		parent := open()
		ready(t, parent)
		_, err := parent.Exec(t.Context(), `UPDATE messenger_version SET version=1000, compat=1000`)
		must(t, err)
		later := New(parent, zerolog.Nop())
		defer later.Close()
		if err = later.Upgrade(t.Context()); !errors.Is(err, ErrTooNew) || !strings.Contains(err.Error(), "newer version of matrix-messenger") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestAddedIndexesAreUsedByBridgev2sQueries(t *testing.T) {
	parent := openSQLite(t, t.TempDir(), "sqlite3-fk-wal")
	db := ready(t, parent)
	if err := db.EnsureIndexes(t.Context()); err == nil {
		t.Fatal("there are no tables to index, and no error")
	}
	for _, table := range []string{
		`CREATE TABLE user_login (bridge_id TEXT, user_mxid TEXT, id TEXT, PRIMARY KEY (bridge_id, id))`,
		`CREATE TABLE portal (bridge_id TEXT, id TEXT, receiver TEXT, other_user_id TEXT, PRIMARY KEY (bridge_id, id, receiver))`,
		`CREATE TABLE message (rowid INTEGER PRIMARY KEY, bridge_id TEXT, room_id TEXT, room_receiver TEXT, timestamp BIGINT)`,
	} {
		_, err := parent.Exec(t.Context(), table)
		must(t, err)
	}
	must(t, db.EnsureIndexes(t.Context()))
	must(t, db.EnsureIndexes(t.Context()))
	for query, index := range map[string]string{
		`SELECT id FROM user_login WHERE bridge_id='' AND user_mxid='@a:b'`:                                                  "messenger_x_user_login_user",
		`SELECT id FROM portal WHERE bridge_id='' AND other_user_id='x'`:                                                     "messenger_x_portal_other",
		`SELECT rowid FROM message WHERE bridge_id='' AND room_id='x' AND room_receiver='y' ORDER BY timestamp DESC LIMIT 1`: "messenger_x_message_time",
	} {
		plan := queryPlan(t, parent, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
}

func queryPlan(t *testing.T, parent *dbutil.Database, query string) string {
	rows, err := parent.Query(t.Context(), `EXPLAIN QUERY PLAN `+query)
	must(t, err)
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var id, parentID, unused int
		var detail string
		must(t, rows.Scan(&id, &parentID, &unused, &detail))
		plan.WriteString(detail + "\n")
	}
	must(t, rows.Err())
	return plan.String()
}

func TestAWriteTakesPartInTheCallersTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		parent := open()
		db := ready(t, parent)
		boom := errors.New("boom")
		err := parent.DoTxn(t.Context(), nil, func(ctx context.Context) error {
			if _, err := db.Outbox.Enqueue(ctx, []OutboxMessage{{LoginID: "a", ChatID: "c", EventID: "$1", StanzaID: "s1", Parts: 1}}); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		depth, err := db.Outbox.Depth(t.Context())
		must(t, err)
		equal(t, "rows after the rollback", depth, 0)
	})
}

func TestEverythingOfALoginIsExportedAndRemoved(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		for _, login := range []string{"gone", "stays"} {
			fillLogin(t, db, login)
		}
		export, err := db.ExportLogin(ctx, "gone")
		must(t, err)
		for table, rows := range export.Tables {
			if len(rows) != 1 || rows[0]["login_id"] != "gone" {
				t.Errorf("%s has %v", table, rows)
			}
		}
		if len(export.Tables) != len(loginTables) || export.Tables["login_setting"][0]["status_text"] != "hi" || export.Tables["outbox"][0]["body"] != "x" {
			t.Errorf("something is missing: %+v", export)
		}
		for _, secret := range []string{"access_token", "refresh_token"} {
			if value, there := export.Tables["credential"][0][secret]; there {
				t.Errorf("the secret %s is exported: %v", secret, value)
			}
		}
		if queued, ok := export.Tables["outbox"][0]["queued_at"].(time.Time); !ok || time.Since(queued) > time.Hour {
			t.Errorf("the time is %v", export.Tables["outbox"][0]["queued_at"])
		}
		must(t, db.DeleteLogin(ctx, "gone", false))
		for _, table := range loginTables {
			gone, err := queryCount(ctx, db, `SELECT COUNT(*) FROM `+table+` WHERE login_id='gone'`)
			must(t, err)
			stays, err := queryCount(ctx, db, `SELECT COUNT(*) FROM `+table+` WHERE login_id='stays'`)
			must(t, err)
			equal(t, table+" of the removed login", gone, 0)
			equal(t, table+" of the other login", stays, 1)
		}
	})
}

func TestWhatIsStillToBeToldMayOutliveItsLogin(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		must2 := func(_ int64, err error) { t.Helper(); must(t, err) }
		enqueue(t, db, outgoing("mary", "$1", 0, 1), outgoing("mary", "$2", 0, 1), outgoing("mary", "$3", 0, 1))
		must2(db.Outbox.Fail(ctx, "It was not sent.", 1, 2))
		must(t, db.Outbox.MarkTold(ctx, 1))
		must(t, db.DeleteLogin(ctx, "me", true))
		rows, err := queryAll(ctx, db, scanOutbox, selectOutbox)
		must(t, err)
		equalList(t, "kept", stanzas(rows), []string{"$2.0"})
		equal(t, "its text", string(rows[0].Body), "")
		_, err = db.db.Exec(ctx, `CREATE TABLE user_login (bridge_id TEXT, id TEXT)`)
		must(t, err)
		must(t, db.Outbox.DeleteLeft(ctx, "bridge"))
		rooms, err := db.Outbox.UntoldRooms(ctx, "me")
		must(t, err)
		equal(t, "rooms with something to tell", len(rooms), 1)
		must(t, db.Outbox.MarkTold(ctx, 2))
		must(t, db.Outbox.DeleteLeft(ctx, "bridge"))
		left, err := queryCount(ctx, db, `SELECT COUNT(*) FROM messenger_outbox`)
		must(t, err)
		equal(t, "kept after it was told", left, 0)
	})
}

func TestNoTableWithLoginsIsForgottenAtRemoval(t *testing.T) {
	parent := openSQLite(t, t.TempDir(), "sqlite3-fk-wal")
	db := ready(t, parent)
	tables, err := queryAll(t.Context(), db, dbutil.ScanSingleColumn[string], `
		SELECT name FROM sqlite_master WHERE type='table' AND sql LIKE '%login_id%' AND name LIKE 'messenger_%'
	`)
	must(t, err)
	equal(t, "tables with a login_id", len(tables), len(loginTables))
}

func fillLogin(t *testing.T, db *Database, login string) {
	ctx := t.Context()
	_, err := db.Credential.Put(ctx, Credential{LoginID: login, AccessToken: "a-token", RefreshToken: "r-token"})
	must(t, err)
	_, err = db.Outbox.Enqueue(ctx, []OutboxMessage{{LoginID: login, ChatID: "c", EventID: "$" + login, StanzaID: "s", Parts: 1, Body: []byte("x")}})
	must(t, err)
	_, _, err = db.MessengerInbox.Put(ctx, Incoming{LoginID: login, ChatID: "c", DedupeKey: "k", Kind: "message"})
	must(t, err)
	_, err = db.Held.Put(ctx, 0, HeldMessage{LoginID: login, JID: "c", DedupeKey: "k"})
	must(t, err)
	must(t, db.Departure.Note(ctx, Departure{LoginID: login, ChatID: "c", RoomID: "!" + login, Member: "@user"}))
	must(t, db.Aside.Note(ctx, AsideNotice{LoginID: login, ChatID: "c", Reason: "M_FORBIDDEN"}))
	must(t, db.ChatLog.Append(ctx, 0, LogEntry{LoginID: login, ChatID: "c", Key: "k"}))
	must(t, db.ArchiveRead.Set(ctx, login, "c", ArchiveRead{At: time.Now()}))
	must(t, db.Presence.Put(ctx, Presence{LoginID: login, JID: "c", Availability: "away"}))
	_, _, err = db.Request.Open(ctx, Request{LoginID: login, JID: "c", Direction: RequestIn})
	must(t, err)
	must(t, db.Contact.Put(ctx, Contact{LoginID: login, RosterItem: RosterItem{JID: "c"}}))
	_, err = db.Setting.Update(ctx, login, func(s *Setting) { s.StatusText = "hi" })
	must(t, err)
}
