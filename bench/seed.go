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

// seed writes the accounts' sign-ins into a bridge's database, as if everybody had signed in before. The bridge must have made its tables, and must not run.
func (in *installation) seed(c crowd) error {
	ctx := context.Background()
	db, err := dbutil.NewWithDialect(in.databaseURI(), "sqlite3-fk-wal")
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
			_, err := ours.Credential.Put(ctx, database.Credential{
				LoginID: userJID(i), AccessToken: userToken(i), RefreshToken: "refresh-" + userToken(i), ExpiresAt: time.Now().Add(24 * time.Hour),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
