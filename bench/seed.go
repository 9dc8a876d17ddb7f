package main

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream" // the driver sqlite3-fk-wal
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/bridge"
	"matrix-messenger/database"
)

// seed writes the accounts' sign-ins into a bridge's database, and their contacts, as if everybody had signed in before. The bridge must not run.
func (in *installation) seed(c crowd) error {
	ctx := context.Background()
	db, err := dbutil.NewWithDialect(in.databaseURI()+"&_stmt_cache_size=64", "sqlite3-fk-wal")
	if err != nil {
		return err
	}
	framework := bridgedb.New("", bridgedb.MetaTypes{UserLogin: func() any { return &bridge.LoginMetadata{} }}, db)
	ours := database.New(db, zerolog.Nop())
	err = in.seedInto(ctx, db, framework, ours, c)
	ours.Close()
	return errors.Join(err, db.Close())
}

func (in *installation) seedInto(ctx context.Context, db *dbutil.Database, framework *bridgedb.Database, ours *database.Database, c crowd) error {
	if err := framework.Upgrade(ctx); err != nil {
		return err
	}
	if in.config["network"] != nil {
		sealer, err := database.NewSealer(secret, nil)
		if err != nil {
			return err
		}
		if err = errors.Join(ours.Upgrade(ctx), ours.CheckKey(ctx, sealer)); err != nil {
			return err
		}
	}
	return db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for i := range c.Sessions {
			user := &bridgedb.User{MXID: id.UserID(userMXID(i))}
			if err := framework.User.Insert(ctx, user); err != nil {
				return err
			}
			login := &bridgedb.UserLogin{
				UserMXID: user.MXID, ID: networkid.UserLoginID(userJID(i)), RemoteName: userJID(i), Metadata: &bridge.LoginMetadata{JID: userJID(i)},
			}
			if err := framework.UserLogin.Insert(ctx, login); err != nil {
				return err
			}
			if in.config["network"] == nil {
				continue
			}
			if err := seedLogin(ctx, ours, c, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// seedLogin writes what the bridge itself keeps of an account.
func seedLogin(ctx context.Context, ours *database.Database, c crowd, i int) error {
	_, err := ours.Credential.Put(ctx, database.Credential{
		LoginID: userJID(i), AccessToken: userToken(i), RefreshToken: "refresh-" + userToken(i), ExpiresAt: time.Now().Add(24 * time.Hour),
	})
	if err != nil {
		return err
	}
	roster := make([]database.RosterItem, c.Contacts)
	for k := range roster {
		who := c.contact(i, k)
		roster[k] = database.RosterItem{JID: contactJID(who), JIDAsSent: contactJID(who), Name: contactName(who), Subscription: "both"}
	}
	if _, err = ours.Contact.ReplaceRoster(ctx, userJID(i), roster); err != nil {
		return err
	}
	_, _, err = ours.Contact.Update(ctx, userJID(i), userJID(i), func(own *database.Contact) { own.VCardName = userName(i) })
	return err
}
