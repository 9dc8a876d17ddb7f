package bridge

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"matrix-messenger/database"
)

// wipe gives up what a login that ends still had to send, and removes everything of it from our tables: nothing is removed
// before it is stored what its user is to be told. Of what cannot be told at the moment the rows stay that say so, until it is
// told in the chat's room, which is not left before that. After an error it may be done again from the start.
func (c *Connector) wipe(ctx context.Context, login string) error {
	rows, err := c.db.Outbox.FailLogin(ctx, login, database.GivenUp{Queued: noticeLoggedOut, Written: noticeUncertain})
	if err != nil {
		return fmt.Errorf("what was queued cannot be given up: %w", err)
	}
	c.givenUp(rows, resultFailed)
	keepUntold := !c.br.Config.CleanupOnLogout.Enabled
	if !keepUntold { // the framework does with the rooms what the administrator has set, and nobody is left there to tell anything
		within, cancel := context.WithTimeout(ctx, noticeTimeout)
		defer cancel()
		if err = c.tellNow(within, login); err != nil {
			c.log.Warn().Err(err).Str("login_id", login).Msg("Not everybody could be told what was not sent before the logout")
		}
	}
	return c.db.DeleteLogin(ctx, login, keepUntold)
}

// wipeLeft wipes what is stored of accounts that are no login: those whose logout the database did not take as a whole, and
// those whose sign-in was interrupted.
func (c *Connector) wipeLeft(ctx context.Context) error {
	logins, err := c.db.LeftLogins(ctx, string(c.br.ID))
	for _, login := range logins {
		err = errors.Join(err, c.wipeIfLeft(ctx, networkid.UserLoginID(login)))
	}
	return err
}

// wipeIfLeft does so unless somebody is signing in to the account, or has done so.
func (c *Connector) wipeIfLeft(ctx context.Context, login networkid.UserLoginID) error {
	defer c.accounts.WithLock(login)()
	if gone, err := c.loginIsGone(ctx, login); err != nil || !gone {
		return err
	}
	return c.wipe(ctx, string(login))
}
