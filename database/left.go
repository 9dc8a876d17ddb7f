package database

import (
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// What the framework keeps of somebody who has logged out is not in our tables, and it has no way of its own to forget it: the rows of chats and their messages, of
// rooms, and of ghosts. Ghosts can only go while the framework holds none in memory, and what is known of a room comes back with the homeserver's events about our own leaving: so both are
// noted in messenger_left, for the next start.

const (
	leftGhost = "ghost"
	leftRoom  = "room"
)

// LeftChat is a chat of a login that does not exist any more.
type LeftChat struct {
	ID      string // the contact
	LoginID string
	RoomID  string // empty when it has no room
}

// LeftChats are the chats of logins that do not exist any more.
func (db *Database) LeftChats(ctx context.Context, bridgeID string) ([]LeftChat, error) {
	return queryAll(ctx, db, func(row dbutil.Scannable) (chat LeftChat, err error) {
		err = row.Scan(&chat.ID, &chat.LoginID, &chat.RoomID)
		return chat, err
	}, `
		SELECT id, receiver, COALESCE(mxid, '') FROM portal WHERE bridge_id=$1 AND receiver<>''
		AND NOT EXISTS (SELECT 1 FROM user_login WHERE user_login.bridge_id=portal.bridge_id AND user_login.id=portal.receiver)
	`, bridgeID)
}

// LeftLogins are the accounts of which a sign-in is stored though they are no login: not any more, or not yet. It is stored
// before a login is made, and removed together with everything else of a login that ends.
func (db *Database) LeftLogins(ctx context.Context, bridgeID string) ([]string, error) {
	return queryAll(ctx, db, dbutil.ScanSingleColumn[string], `
		SELECT login_id FROM messenger_credential WHERE login_id NOT IN (SELECT id FROM user_login WHERE bridge_id=$1) ORDER BY login_id
	`, bridgeID)
}

// roomTables are the framework's tables with what is known of a room, and its keys. Those of encryption need not exist.
var roomTables = []string{"mx_user_profile", "mx_room_state", "crypto_megolm_inbound_session", "crypto_megolm_outbound_session"}

// ForgetRoom removes what is stored of a room that the bridge has left, the content of events that were set aside included, and notes it and its contact for [Database.RemoveLeft].
func (db *Database) ForgetRoom(ctx context.Context, roomID, contact string) error {
	there, err := db.roomTables(ctx)
	if err != nil {
		return err
	}
	return db.Write(ctx, func(ctx context.Context) error {
		if _, err := db.forgetRoom(ctx, there, roomID); err != nil {
			return err
		}
		for kind, id := range map[string]string{leftGhost: contact, leftRoom: roomID} {
			if _, err := db.db.Exec(ctx, `INSERT INTO messenger_left (kind, id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, kind, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *Database) forgetRoom(ctx context.Context, tables []string, roomID string) (rows int64, err error) {
	_, err = db.db.Exec(ctx, `UPDATE messenger_matrix_inbox SET body=NULL WHERE room_id=$1 AND state='poisoned' AND body IS NOT NULL`, roomID)
	if err != nil {
		return 0, fmt.Errorf("dropping the content of events that were set aside failed: %w", err)
	}
	for _, table := range tables {
		result, err := db.db.Exec(ctx, `DELETE FROM `+table+` WHERE room_id=$1`, roomID)
		if err != nil {
			return rows, fmt.Errorf("forgetting a room in %s failed: %w", table, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return rows, err
		}
		rows += n
	}
	return rows, nil
}

// roomTables are those of the list that there are.
func (db *Database) roomTables(ctx context.Context) (there []string, err error) {
	for _, table := range roomTables {
		exists, err := db.db.TableExists(ctx, table)
		if err != nil {
			return nil, err
		} else if exists {
			there = append(there, table)
		}
	}
	return there, nil
}

// noteLeft notes the contacts of a login, and itself, as ghosts that may be needed by nobody any more.
func (db *Database) noteLeft(ctx context.Context, loginID string) error {
	_, err := db.db.Exec(ctx, `
		INSERT INTO messenger_left (kind, id)
		SELECT 'ghost', jid FROM messenger_contact WHERE login_id=$1 UNION SELECT 'ghost', CAST($1 AS TEXT) WHERE true
		ON CONFLICT DO NOTHING
	`, loginID)
	return err
}

// RemoveLeft removes the ghosts that were noted and are needed by nobody (they are no login's contact, in no chat, and no login themselves), and what has come
// to be known of noted rooms since. mxid is a ghost's Matrix ID. It is called at the start, once the framework's tables exist and before it has read any of them.
func (db *Database) RemoveLeft(ctx context.Context, bridgeID string, mxid func(ghost string) string) error {
	noted, err := queryCount(ctx, db, `SELECT COUNT(*) FROM messenger_left`)
	if err != nil || noted == 0 {
		return err
	}
	tables, err := db.roomTables(ctx)
	if err != nil {
		return err
	}
	return db.Write(ctx, func(ctx context.Context) error {
		rooms, err := queryAll(ctx, db, dbutil.ScanSingleColumn[string], `SELECT id FROM messenger_left WHERE kind='room'`)
		if err != nil {
			return err
		}
		for _, room := range rooms {
			if rows, err := db.forgetRoom(ctx, tables, room); err != nil {
				return err
			} else if rows > 0 {
				continue // events about it may still be waiting: the next start looks once more
			}
			if err = db.unnote(ctx, leftRoom, room); err != nil {
				return err
			}
		}
		return db.removeLeftGhosts(ctx, bridgeID, mxid)
	})
}

func (db *Database) unnote(ctx context.Context, kind, id string) error {
	_, err := db.db.Exec(ctx, `DELETE FROM messenger_left WHERE kind=$1 AND id=$2`, kind, id)
	return err
}

func (db *Database) removeLeftGhosts(ctx context.Context, bridgeID string, mxid func(ghost string) string) error {
	for _, needed := range []string{`SELECT jid FROM messenger_contact`, `SELECT id FROM user_login`} {
		if _, err := db.db.Exec(ctx, `DELETE FROM messenger_left WHERE kind='ghost' AND id IN (`+needed+`)`); err != nil {
			return err
		}
	}
	ghosts, err := queryAll(ctx, db, dbutil.ScanSingleColumn[string], `
		SELECT id FROM messenger_left WHERE kind='ghost' AND NOT EXISTS (
			SELECT 1 FROM portal WHERE bridge_id=$1 AND (other_user_id=messenger_left.id OR receiver=messenger_left.id)
		)
	`, bridgeID)
	if err != nil {
		return err
	}
	for _, ghost := range ghosts {
		if _, err = db.db.Exec(ctx, `DELETE FROM ghost WHERE bridge_id=$1 AND id=$2`, bridgeID, ghost); err != nil {
			return err
		}
		if _, err = db.db.Exec(ctx, `DELETE FROM mx_registrations WHERE user_id=$1`, mxid(ghost)); err != nil {
			return err
		}
		if err = db.unnote(ctx, leftGhost, ghost); err != nil {
			return err
		}
	}
	return nil
}
