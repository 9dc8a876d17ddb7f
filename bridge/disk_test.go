package bridge

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/matrix"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// withDatabase gives a test's client a database, and its connections.
func withDatabase(t *testing.T, cl *Client) *dbutil.Database {
	t.Helper()
	parent, err := dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{
		Type: "sqlite3-fk-wal", URI: "file:" + filepath.Join(t.TempDir(), "bridge.db") + "?_txlock=immediate", MaxOpenConns: 5, MaxIdleConns: 1,
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parent.Close() })
	db := database.New(parent, zerolog.Nop())
	t.Cleanup(db.Close)
	sealer, err := database.NewSealer("correct horse battery", nil)
	if err == nil {
		err = db.Upgrade(t.Context())
	}
	if err == nil {
		err = db.CheckKey(t.Context(), sealer)
	}
	if err != nil {
		t.Fatal(err)
	}
	cl.c.db = db
	return parent
}

// hook is a log that runs a function for each line with a word in it.
type hook struct {
	word string
	run  func()
}

func (h hook) Write(line []byte) (int, error) {
	if strings.Contains(string(line), h.word) {
		h.run()
	}
	return len(line), nil
}

func TestAConfirmationThatCannotBeStoredIsNotForgotten(t *testing.T) {
	cl := newTestHistory(t).cl
	raw := withDatabase(t, cl)
	cl.c.metrics = newMetrics()
	cl.c.matrix = &matrix.Connector{Config: &bridgeconfig.Config{}} // nobody wants to know of success
	ctx := t.Context()
	rename := func(from, to string) {
		if _, err := raw.Exec(ctx, "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Error(err)
		}
	}
	refused := 0
	cl.log = zerolog.New(hook{word: "could not be stored and is tried again", run: func() {
		if refused++; refused == 2 {
			rename("gone", "messenger_outbox")
		}
	}})
	_, err := cl.c.db.Outbox.Enqueue(ctx, []database.OutboxMessage{{LoginID: cl.id(), ChatID: "mary", EventID: "$1", StanzaID: "s1", Parts: 1, Body: []byte("one")}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := cl.c.db.Outbox.NextQueued(ctx, cl.id(), burst, 10)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if _, err = cl.c.db.Outbox.MarkWritten(ctx, "run.7", rows[0].Seq); err != nil {
		t.Fatal(err)
	}
	rename("messenger_outbox", "gone")
	if err = cl.outbox.confirmPatiently(ctx, rows, "run.7"); err != nil {
		t.Fatal(err)
	}
	if row, _, err := cl.c.db.Outbox.ByStanzaID(ctx, cl.id(), "s1"); err != nil || row.State != database.OutboxConfirmed {
		t.Errorf("the message is %s (%v)", row.State, err)
	}
}

func TestAMessageWaitsForADatabaseThatCannotBeWritten(t *testing.T) {
	cl := newTestHistory(t).cl
	full := errors.New("database or disk is full")
	tries := 0
	err := cl.patiently(t.Context(), func() error {
		if tries++; tries < 3 {
			return full
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("after %d tries: %v", tries, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	tries = 0
	err = cl.patiently(ctx, func() error {
		if tries++; tries == 2 {
			stop()
		}
		return full
	})
	if !errors.Is(err, full) || tries != 2 {
		t.Errorf("when the bridge stops: %d tries, %v", tries, err)
	}
}

func TestWhatAnEarlierRunLeftWaitsForItsArchiveBeforeThereIsASession(t *testing.T) {
	h := newTestHistory(t)
	in := h.cl.inbound
	h.cl.c.leftovers = map[string][]string{h.cl.id(): {"mary"}}
	in.resume()
	t.Cleanup(in.stop)
	if !h.waits("mary") || len(h.queue) != 1 {
		t.Error("what was left goes to its room before the archive was read")
	}
	if worker := in.chats["mary"]; worker.running || !worker.again {
		t.Errorf("the worker runs: %v, and looks again when the chat may go on: %v", worker.running, worker.again)
	}
}

func TestWhatAnEarlierRunLeftIsHandedOverWithoutAnArchive(t *testing.T) {
	cl := newTestHistory(t).cl
	_ = withDatabase(t, cl).Close() // what a worker reads fails, and so it stays
	cl.c.Config.Archive.Enabled = false
	cl.c.leftovers = map[string][]string{cl.id(): {"mary"}}
	cl.inbound.resume()
	if worker := cl.inbound.chats["mary"]; worker == nil || !worker.running {
		t.Error("nobody hands over what was left")
	}
	cl.inbound.stop()
}

func TestOnlyTheRowThatIsOnItsWayKeepsItsPlace(t *testing.T) {
	for name, test := range map[string]struct {
		busy  bool
		row   int64 // on its way, counted from the first of those that wait; 0: not known yet, -1: one that has arrived since
		fixed int
	}{
		"none":                 {false, 0, 0},
		"the first":            {true, 1, 1},
		"one, not known which": {true, 0, 1},
		"one that has arrived": {true, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHistory(t)
			withDatabase(t, h.cl)
			h.begin(0, time.Now()) // the session of the test's zero value
			ctx := t.Context()
			row := incoming{From: "mary", Text: "hello", Time: time.Now()}
			for _, key := range []string{"a", "b", "c"} {
				if err := h.cl.inbound.put(ctx, "mary", kindMessage, key, row); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := h.cl.c.db.MessengerInbox.LastForChat(ctx, h.cl.id(), "mary", 3)
			if err != nil {
				t.Fatal(err)
			}
			first := rows[0].Seq
			switch test.row {
			case 0:
				first = 0
			case -1:
				first += 100
			}
			h.cl.inbound.chats["mary"] = &chatWorker{running: true, busy: test.busy, row: first}
			if err = h.cl.c.db.ArchiveRead.Set(ctx, h.cl.id(), "mary", database.ArchiveRead{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			known, err := h.recall(ctx, &xmppside.Session{}, "mary")
			if err != nil {
				t.Fatal(err)
			}
			if len(known.pending) != 3 || known.fixed != test.fixed {
				t.Errorf("%d of %d rows keep their places, want %d", known.fixed, len(known.pending), test.fixed)
			}
		})
	}
}
