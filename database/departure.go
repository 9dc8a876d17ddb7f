package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Departure is a chat's room that is to be given up, because somebody has left it whom it cannot be without. It is kept until
// that has come about, so that it does in spite of a restart.
type Departure struct {
	LoginID string
	ChatID  string
	RoomID  string
	Member  string // who has left
}

// DepartureStore keeps the departures that wait for the homeserver.
type DepartureStore struct{ db *Database }

// Note stores a departure, of which a room has one.
func (s *DepartureStore) Note(ctx context.Context, d Departure) error {
	_, err := s.db.exec(ctx, `
		INSERT INTO messenger_departure (room_id, login_id, chat_id, member, noted_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (room_id) DO UPDATE SET member=excluded.member, noted_at=excluded.noted_at
	`, d.RoomID, d.LoginID, d.ChatID, d.Member, millis(time.Now()))
	return err
}

// All are the departures that there are.
func (s *DepartureStore) All(ctx context.Context) ([]Departure, error) {
	return queryAll(ctx, s.db, func(row dbutil.Scannable) (d Departure, err error) {
		err = row.Scan(&d.RoomID, &d.LoginID, &d.ChatID, &d.Member)
		return d, err
	}, `SELECT room_id, login_id, chat_id, member FROM messenger_departure ORDER BY noted_at`)
}

// Forget removes the departure from a room.
func (s *DepartureStore) Forget(ctx context.Context, roomID string) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_departure WHERE room_id=$1`, roomID)
	return err
}
