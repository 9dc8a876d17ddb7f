package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Presence is the last thing that one resource of a contact said about itself.
type Presence struct {
	LoginID      string
	JID          string
	Resource     string
	Availability string // the show value, "available" without one, "offline"
	Status       string
	UpdatedAt    time.Time
	Stale        bool // from before the current stream
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
				INSERT INTO messenger_presence (login_id, jid, resource, availability, status_text, updated_at, stale)
				VALUES ($1, $2, $3, $4, $5, $6, $7)
				ON CONFLICT (login_id, jid, resource) DO UPDATE SET availability=excluded.availability,
					status_text=excluded.status_text, updated_at=excluded.updated_at, stale=excluded.stale
			`, p.LoginID, p.JID, p.Resource, p.Availability, p.Status, millis(p.UpdatedAt), p.Stale)
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
		SELECT login_id, jid, resource, availability, status_text, updated_at, stale FROM messenger_presence
		WHERE login_id=$1 ORDER BY jid, resource
	`, loginID)
}

// MarkStale notes that the stream of a login has ended.
func (s *PresenceStore) MarkStale(ctx context.Context, loginID string) error {
	_, err := s.db.exec(ctx, `UPDATE messenger_presence SET stale=true WHERE login_id=$1 AND NOT stale`, loginID)
	return err
}

// Delete forgets one resource, which has gone offline.
func (s *PresenceStore) Delete(ctx context.Context, loginID, jid, resource string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_presence WHERE login_id=$1 AND jid=$2 AND resource=$3`, loginID, jid, resource)
	return err
}

// DeleteStale forgets the stale presences of a login, once the fresh ones have come or the grace time is over.
func (s *PresenceStore) DeleteStale(ctx context.Context, loginID string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_presence WHERE login_id=$1 AND stale`, loginID)
	return err
}

func scanPresence(row dbutil.Scannable) (p Presence, err error) {
	var updatedAt int64
	err = row.Scan(&p.LoginID, &p.JID, &p.Resource, &p.Availability, &p.Status, &updatedAt, &p.Stale)
	p.UpdatedAt = fromMillis(updatedAt)
	return p, err
}
