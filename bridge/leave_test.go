package bridge

import (
	"context"
	"testing"

	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"

	"matrix-messenger/database"
)

func TestAChatIsNotForgottenWhenItsUserHasComeBackBeforeItsTurn(t *testing.T) {
	cl := newTestHistory(t).cl
	c, ctx := cl.c, t.Context()
	raw := withDatabase(t, cl)
	c.accounts, c.telling = exsync.NewKeyedMutex[networkid.UserLoginID](), exsync.NewKeyedMutex[string]()
	c.matrix = &matrix.Connector{Config: &bridgeconfig.Config{}}
	c.br = &bridgev2.Bridge{Config: &bridgeconfig.BridgeConfig{}, DB: bridgedb.New("", bridgedb.MetaTypes{}, raw)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.br.DB.Upgrade(ctx))
	forgotten := func() (rows int) {
		t.Helper()
		must(raw.QueryRow(ctx, `SELECT COUNT(*) FROM messenger_left`).Scan(&rows))
		return rows
	}
	chat := database.LeftChat{ID: mary, LoginID: cl.id(), RoomID: "!room:example.org"}
	// The account is being signed in to when the chat, which was found to be nobody's, has its turn.
	signedIn := c.accounts.WithLock(cl.login.ID)
	ended := make(chan error, 1)
	go func() { ended <- c.forgetChat(context.WithoutCancel(ctx), chat) }()
	must(c.br.DB.User.Insert(ctx, &bridgedb.User{MXID: "@me:example.org"}))
	must(c.br.DB.UserLogin.Insert(ctx, &bridgedb.UserLogin{
		UserMXID: "@me:example.org", ID: cl.login.ID, RemoteProfile: status.RemoteProfile{}, Metadata: map[string]any{},
	}))
	signedIn()
	must(<-ended)
	if forgotten() != 0 {
		t.Error("a chat of somebody who has come back is forgotten")
	}
	must(c.br.DB.UserLogin.Delete(ctx, cl.login.ID))
	must(c.forgetChat(ctx, chat))
	if forgotten() == 0 {
		t.Error("the chat of somebody who is gone is kept")
	}
}
