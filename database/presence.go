package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Presence is what the devices of a contact said of themselves last, put together.
type Presence struct {
	LoginID      string
	JID          string
	Availability string // the show value, "available" without one
	Status       string
	UpdatedAt    time.Time
}

// PresenceStore caches presences (messenger-protocol.md section 8), so that a restart can show them until fresh ones come.
type PresenceStore struct{ db *Database }

// Put stores presences in one commit; a zero UpdatedAt means now.
func (s *PresenceStore) Put(ctx context.Context, presences ...Presence) error {
	return s.db.Write(ctx, func(ctx context.Context) error {
		for _, p := range presences {
			if p.UpdatedAt.IsZero() {
				p.UpdatedAt = time.Now()
			}
			_, err := s.db.db.Exec(ctx, `
				INSERT INTO messenger_presence (login_id, jid, availability, status_text, updated_at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (login_id, jid) DO UPDATE SET availability=excluded.availability,
					status_text=excluded.status_text, updated_at=excluded.updated_at
			`, p.LoginID, p.JID, p.Availability, p.Status, millis(p.UpdatedAt))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// List returns the presences of a login.
func (s *PresenceStore) List(ctx context.Context, loginID string) ([]Presence, error) {
	return queryAll(ctx, s.db, scanPresence, `
		SELECT login_id, jid, availability, status_text, updated_at FROM messenger_presence WHERE login_id=$1 ORDER BY jid
	`, loginID)
}

// Delete forgets a contact, who has gone offline.
func (s *PresenceStore) Delete(ctx context.Context, loginID, jid string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_presence WHERE login_id=$1 AND jid=$2`, loginID, jid)
	return err
}

func scanPresence(row dbutil.Scannable) (p Presence, err error) {
	var updatedAt int64
	err = row.Scan(&p.LoginID, &p.JID, &p.Availability, &p.Status, &updatedAt)
	p.UpdatedAt = fromMillis(updatedAt)
	return p, err
}
