package bridge

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"matrix-messenger/database"
)

func TestALogoutThatTheDatabaseDoesNotTakeIsMadeUpFor(t *testing.T) {
	cl := newTestHistory(t).cl
	c, ctx := cl.c, t.Context()
	raw := withDatabase(t, cl)
	c.metrics, c.accounts, c.untold = newMetrics(), exsync.NewKeyedMutex[networkid.UserLoginID](), make(chan struct{}, 1)
	c.left = make(chan struct{}, 1)
	c.br = &bridgev2.Bridge{Config: &bridgeconfig.BridgeConfig{}, DB: bridgedb.New("", bridgedb.MetaTypes{}, raw)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.br.DB.Upgrade(ctx))
	must(c.br.DB.User.Insert(ctx, &bridgedb.User{MXID: "@me:example.org"}))
	for _, login := range []networkid.UserLoginID{cl.login.ID, "stays@messenger.example"} {
		_, err := c.db.Credential.Put(ctx, database.Credential{LoginID: string(login), AccessToken: "token"})
		must(err)
		must(c.br.DB.UserLogin.Insert(ctx, &bridgedb.UserLogin{UserMXID: "@me:example.org", ID: login, Metadata: map[string]any{}}))
	}
	_, err := c.db.Outbox.Enqueue(ctx, []database.OutboxMessage{
		{LoginID: cl.id(), ChatID: mary, EventID: "$1", StanzaID: "one", RoomID: "!room:example.org", Parts: 1, Body: []byte("one")},
	})
	must(err)
	state := func() database.OutboxState {
		t.Helper()
		row, found, err := c.db.Outbox.ByStanzaID(ctx, cl.id(), "one")
		must(err)
		if !found {
			t.Fatal("a message is gone, and nobody is told")
		}
		return row.State
	}
	// The database stumbles over the first thing that a logout asks of it, and over nothing else.
	mustExec(t, raw, "ALTER TABLE messenger_outbox RENAME TO gone")
	cl.log = zerolog.New(hook{word: "was queued cannot be", run: func() { mustExec(t, raw, "ALTER TABLE gone RENAME TO messenger_outbox") }})
	cl.forget(ctx)
	if is := state(); is != database.OutboxQueued {
		t.Fatalf("after the failure the message is %s", is)
	}
	must(c.wipeLeft(ctx))
	if is := state(); is != database.OutboxQueued {
		t.Fatalf("a message of a login that there is, is %s", is)
	}
	must(c.br.DB.UserLogin.Delete(ctx, cl.login.ID)) // as the framework does next
	select {
	case <-c.untold:
	case <-time.After(patience):
		t.Fatal("the logout is not made up for")
	}
	if is := state(); is != database.OutboxFailed {
		t.Errorf("the message is %s", is)
	}
	c.work.Wait() // it is begun, and ends by itself
	rooms, err := c.db.Outbox.UntoldRooms(ctx, cl.id())
	if err != nil || len(rooms) != 1 {
		t.Errorf("it is to be told in %q (%v)", rooms, err)
	}
	if _, found, err := c.db.Credential.Get(ctx, cl.id()); found || err != nil {
		t.Errorf("a sign-in outlives the logout (%v)", err)
	}
	if _, found, err := c.db.Credential.Get(ctx, "stays@messenger.example"); !found || err != nil {
		t.Errorf("somebody else's sign-in is gone (%v)", err)
	}
}
