package database

import (
	"context"
	"fmt"
	"time"
)

// loginTables are the tables with rows of a login, in the order they are emptied.
var loginTables = []string{
	"messenger_credential", "messenger_outbox", "messenger_inbox", "messenger_held_message", "messenger_chat_log", "messenger_archive_read",
	"messenger_presence", "messenger_request", "messenger_contact", "messenger_login_setting",
}

// DeleteLogin removes everything that is stored of a login; its tokens are overwritten first. What it still had to send is
// lost: see [OutboxStore.FailLogin].
func (db *Database) DeleteLogin(ctx context.Context, loginID string) error {
	if err := db.Credential.overwrite(ctx, loginID); err != nil {
		return err
	}
	return db.Write(ctx, func(ctx context.Context) error {
		if err := db.noteLeft(ctx, loginID); err != nil {
			return err
		}
		for _, table := range loginTables {
			if _, err := db.db.Exec(ctx, `DELETE FROM `+table+` WHERE login_id=$1`, loginID); err != nil {
				return fmt.Errorf("removing the login from %s failed: %w", table, err)
			}
		}
		return nil
	})
}

// LoginExport is everything that is stored of a login and concerns the person, without secrets.
type LoginExport struct {
	LoginID        string          `json:"login_id"`
	ExportedAt     time.Time       `json:"exported_at"`
	Resource       string          `json:"resource,omitempty"`
	Scope          string          `json:"scope,omitempty"`
	TokenExpiresAt time.Time       `json:"token_expires_at,omitzero"`
	Setting        Setting         `json:"setting"`
	Contacts       []Contact       `json:"contacts"`
	Presences      []Presence      `json:"presences"`
	Requests       []Request       `json:"requests"`
	HeldMessages   []HeldMessage   `json:"held_messages"`
	Unsent         []OutboxMessage `json:"unsent"`
	Incoming       []Incoming      `json:"incoming"`
	ChatLog        []LogEntry      `json:"chat_log"`
}

// ExportLogin collects a [LoginExport].
func (db *Database) ExportLogin(ctx context.Context, loginID string) (export LoginExport, err error) {
	export = LoginExport{LoginID: loginID, ExportedAt: time.Now().UTC()}
	credential, found, err := queryOne(ctx, db, scanCredential, selectCredential+` WHERE login_id=$1`, loginID)
	if err != nil {
		return export, err
	}
	if found {
		export.Resource, export.Scope, export.TokenExpiresAt = credential.Resource, credential.Scope, credential.ExpiresAt
	}
	for _, read := range []func() error{
		func() (err error) { export.Setting, err = db.Setting.Get(ctx, loginID); return err },
		func() (err error) { export.Contacts, err = db.Contact.List(ctx, loginID); return err },
		func() (err error) { export.Presences, err = db.Presence.List(ctx, loginID); return err },
		func() (err error) { export.Requests, err = db.Request.List(ctx, loginID, "", ""); return err },
		func() (err error) { export.Unsent, err = db.Outbox.Open(ctx, loginID); return err },
		func() (err error) {
			export.HeldMessages, err = queryAll(ctx, db, scanHeld, `
				SELECT seq, login_id, jid, dedupe_key, body, stamp, received_at FROM messenger_held_message WHERE login_id=$1 ORDER BY seq
			`, loginID)
			return err
		},
		func() (err error) {
			export.Incoming, err = queryAll(ctx, db, scanIncoming, selectIncoming+` WHERE login_id=$1 ORDER BY seq`, loginID)
			return err
		},
		func() (err error) {
			export.ChatLog, err = queryAll(ctx, db, scanLogEntry, selectLogEntry+` WHERE login_id=$1 ORDER BY seq`, loginID)
			return err
		},
	} {
		if err := read(); err != nil {
			return export, err
		}
	}
	return export, nil
}
