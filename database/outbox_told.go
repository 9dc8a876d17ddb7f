package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// That the sender of a message was told how it ended is stored with the message, so that it is told in spite of a crash in between.

// UntoldRooms returns the rooms in which there is something to tell, of one login or, with an empty ID, of all.
func (s *OutboxStore) UntoldRooms(ctx context.Context, loginID string) ([]string, error) {
	return queryAll(ctx, s.db, dbutil.ScanSingleColumn[string], `
		SELECT room_id FROM messenger_outbox WHERE told_at=0 AND state IN ('failed', 'expired') AND ($1='' OR login_id=$1)
		UNION SELECT room_id FROM messenger_outbox WHERE told_at=0 AND state='confirmed' AND ($1='' OR login_id=$1)
	`, loginID)
}

// UntoldSince is when the first of the messages of a room ended of which something is to be told; zero when there is none.
func (s *OutboxStore) UntoldSince(ctx context.Context, room string) (time.Time, error) {
	since, err := queryCount(ctx, s.db, `
		SELECT COALESCE(MIN(settled_at), 0) FROM (
			SELECT settled_at FROM messenger_outbox WHERE room_id=$1 AND told_at=0 AND state IN ('failed', 'expired')
			UNION ALL SELECT settled_at FROM messenger_outbox WHERE room_id=$1 AND told_at=0 AND state='confirmed'
		) AS untold
	`, room)
	return fromMillis(int64(since)), err
}

// Untold returns rows of a room that were not delivered and whose senders have not been told yet, oldest first.
func (s *OutboxStore) Untold(ctx context.Context, room string, limit int) ([]OutboxMessage, error) {
	return queryAll(ctx, s.db, scanOutbox, selectOutbox+` WHERE room_id=$1 AND told_at=0 AND state IN ('failed', 'expired') ORDER BY seq LIMIT $2`, room, limit)
}

// MarkTold notes that the senders of rows that were not delivered have been told.
func (s *OutboxStore) MarkTold(ctx context.Context, seqs ...int64) error {
	_, err := s.update(ctx, seqs, `told_at=$1`, `told_at=0 AND state IN ('failed', 'expired')`, millis(time.Now()))
	return err
}

// Unreported returns confirmed rows of a room that have not been reported, oldest first; of events that still have open parts none. With
// [OutboxStore.ReportConfirmed] off nothing gets here.
func (s *OutboxStore) Unreported(ctx context.Context, room string, limit int) ([]OutboxMessage, error) {
	return queryAll(ctx, s.db, scanOutbox, selectOutbox+` AS confirmed
		WHERE room_id=$1 AND told_at=0 AND state='confirmed' AND (parts=1 OR NOT EXISTS (
			SELECT 1 FROM messenger_outbox AS sibling WHERE sibling.event_id=confirmed.event_id AND sibling.state IN ('queued', 'written')
		)) ORDER BY seq LIMIT $2
	`, room, limit)
}

// MarkReported notes that confirmed rows were reported. One that the service has refused meanwhile is left alone: that is to be told.
func (s *OutboxStore) MarkReported(ctx context.Context, seqs ...int64) error {
	_, err := s.update(ctx, seqs, `told_at=$1`, `told_at=0 AND state='confirmed'`, millis(time.Now()))
	return err
}

// DeleteLeft removes what was kept of logins that do not exist any more for their senders to be told, once they were.
func (s *OutboxStore) DeleteLeft(ctx context.Context, bridgeID string) error {
	_, err := s.db.exec(ctx, `
		DELETE FROM messenger_outbox WHERE told_at<>0 AND login_id NOT IN (SELECT id FROM user_login WHERE bridge_id=$1)
	`, bridgeID)
	return err
}
