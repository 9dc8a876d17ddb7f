package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// DefaultHeldMessages is how many messages are kept of somebody who is not accepted yet.
const DefaultHeldMessages = 50

// recalledHeld is how many further ones, the newest, are kept to be recognised in the archive, of which it shows fewer.
const recalledHeld = DefaultHeldMessages

// HeldMessage is a message of somebody whose request is not decided.
type HeldMessage struct {
	Seq        int64
	LoginID    string
	JID        string
	DedupeKey  string // unique per login
	Body       []byte // the bridge's own encoding
	Stamp      time.Time
	ReceivedAt time.Time
}

// HeldStore keeps messages that wait for a contact request to be accepted.
type HeldStore struct{ db *Database }

// Put stores a message, unless its key is already there. Of one sender at most keep (0: [DefaultHeldMessages]) are kept to be
// released; kept is false when that is reached. Of those beyond, the newest are stored for [HeldStore.ListAll] only.
func (s *HeldStore) Put(ctx context.Context, keep int, m HeldMessage) (kept bool, err error) {
	if keep <= 0 {
		keep = DefaultHeldMessages
	}
	if m.ReceivedAt.IsZero() {
		m.ReceivedAt = time.Now()
	}
	if m.Body == nil {
		m.Body = []byte{}
	}
	err = s.db.Write(ctx, func(ctx context.Context) error {
		count, err := queryCount(ctx, s.db, `
			SELECT COUNT(*) FROM messenger_held_message WHERE login_id=$1 AND jid=$2 AND NOT beyond
		`, m.LoginID, m.JID)
		if err != nil {
			return err
		}
		kept = count < keep
		_, err = s.db.db.Exec(ctx, `
			INSERT INTO messenger_held_message (login_id, jid, dedupe_key, body, stamp, received_at, beyond) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (login_id, dedupe_key) DO NOTHING
		`, m.LoginID, m.JID, m.DedupeKey, m.Body, millis(m.Stamp), millis(m.ReceivedAt), !kept)
		if err != nil || kept {
			return err
		}
		_, err = s.db.db.Exec(ctx, `
			DELETE FROM messenger_held_message WHERE login_id=$1 AND jid=$2 AND beyond AND seq<=(
				SELECT seq FROM messenger_held_message WHERE login_id=$1 AND jid=$2 AND beyond ORDER BY seq DESC LIMIT 1 OFFSET $3
			)
		`, m.LoginID, m.JID, recalledHeld)
		return err
	})
	return kept && err == nil, err
}

// ListAll returns the held messages of a sender and the newest of those beyond, oldest first.
func (s *HeldStore) ListAll(ctx context.Context, loginID, jid string) ([]HeldMessage, error) {
	return queryAll(ctx, s.db, scanHeld, selectHeld+` WHERE login_id=$1 AND jid=$2 ORDER BY seq`, loginID, jid)
}

// List returns the held messages of a sender, oldest first.
func (s *HeldStore) List(ctx context.Context, loginID, jid string) ([]HeldMessage, error) {
	return queryAll(ctx, s.db, scanHeld, selectHeld+` WHERE login_id=$1 AND jid=$2 AND NOT beyond ORDER BY seq`, loginID, jid)
}

const selectHeld = `SELECT seq, login_id, jid, dedupe_key, body, stamp, received_at FROM messenger_held_message`

// Release moves the held messages of a sender into the Messenger inbox, in order and in one transaction, as rows of the
// given chat and kind, and forgets those beyond. It returns how many were moved, and whether there were any beyond.
func (s *HeldStore) Release(ctx context.Context, loginID, jid, chatID, kind string) (count int, beyond bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		all, err := s.ListAll(ctx, loginID, jid)
		if err != nil {
			return err
		}
		held, err := s.List(ctx, loginID, jid)
		if err != nil {
			return err
		}
		count, beyond = len(held), len(all) > len(held)
		for _, m := range held {
			_, _, err = s.db.MessengerInbox.Put(ctx, Incoming{
				LoginID: loginID, ChatID: chatID, DedupeKey: m.DedupeKey, Kind: kind, Body: m.Body, Stamp: m.Stamp, ReceivedAt: m.ReceivedAt,
			})
			if err != nil {
				return err
			}
		}
		return s.Delete(ctx, loginID, jid)
	})
	return count, beyond, err
}

// Delete forgets the held messages of a sender.
func (s *HeldStore) Delete(ctx context.Context, loginID, jid string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_held_message WHERE login_id=$1 AND jid=$2`, loginID, jid)
	return err
}

func scanHeld(row dbutil.Scannable) (m HeldMessage, err error) {
	var stamp, receivedAt int64
	err = row.Scan(&m.Seq, &m.LoginID, &m.JID, &m.DedupeKey, &m.Body, &stamp, &receivedAt)
	m.Stamp, m.ReceivedAt = fromMillis(stamp), fromMillis(receivedAt)
	return m, err
}
