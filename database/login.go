package database

import (
	"context"
	"fmt"
)

// loginTables are the tables with rows of a login, in the order they are emptied.
var loginTables = []string{
	"messenger_credential", "messenger_outbox", "messenger_inbox", "messenger_aside_notice", "messenger_held_message", "messenger_chat_log", "messenger_archive_read",
	"messenger_presence", "messenger_departure", "messenger_request", "messenger_contact", "messenger_login_setting",
}

// DeleteLogin removes everything that is stored of a login; its tokens are overwritten first. What it still had to send is to
// be given up before that, see [OutboxStore.FailLogin]. With keepUntold the rows stay whose senders are still to be told how
// their messages ended: of those that were not delivered, no text is left. [OutboxStore.DeleteLeft] removes them.
func (db *Database) DeleteLogin(ctx context.Context, loginID string, keepUntold bool) error {
	if err := db.Credential.overwrite(ctx, loginID); err != nil {
		return err
	}
	return db.Write(ctx, func(ctx context.Context) error {
		if err := db.noteLeft(ctx, loginID); err != nil {
			return err
		}
		for _, table := range loginTables {
			kept := ""
			if keepUntold && table == "messenger_outbox" {
				kept = ` AND NOT (told_at=0 AND state NOT IN ('queued', 'written'))`
			}
			if _, err := db.db.Exec(ctx, `DELETE FROM `+table+` WHERE login_id=$1`+kept, loginID); err != nil {
				return fmt.Errorf("removing the login from %s failed: %w", table, err)
			}
		}
		return nil
	})
}
