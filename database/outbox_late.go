package database

import (
	"context"
	"time"
)

// That the sender of messages was told that they are late is stored with the messages, so that a chat is told once for as
// long as any of those that were told about is open, however many are written meanwhile.

// Overdue returns, of each chat that has any, the oldest open row that was queued before the given time and whose sender
// has not been told that it is late: those with a Seq above after, in its order. So whoever asks goes on where they were,
// whatever became of what they got.
func (s *OutboxStore) Overdue(ctx context.Context, before time.Time, after int64, limit int) ([]OutboxMessage, error) {
	return queryAll(ctx, s.db, scanOutbox, selectOutbox+`
		WHERE seq IN (
			SELECT MIN(seq) FROM messenger_outbox WHERE state IN ('queued', 'written') AND queued_at<$1 AND notified_at=0
			GROUP BY login_id, chat_id
		) AND seq>$2 ORDER BY seq LIMIT $3
	`, millis(before), after, limit)
}

// IsNotified tells whether there is an open row in a chat about which its sender was told that it is late.
func (s *OutboxStore) IsNotified(ctx context.Context, loginID, chatID string) (bool, error) {
	count, err := queryCount(ctx, s.db, `
		SELECT COUNT(*) FROM (
			SELECT seq FROM messenger_outbox WHERE login_id=$1 AND chat_id=$2 AND state='queued' AND notified_at<>0
			UNION ALL SELECT seq FROM messenger_outbox WHERE login_id=$1 AND chat_id=$2 AND state='written' AND notified_at<>0
		) AS told
	`, loginID, chatID)
	return count > 0, err
}

// MarkNotified notes that the senders of the open rows of a chat that were queued before the given time know that they are late.
func (s *OutboxStore) MarkNotified(ctx context.Context, loginID, chatID string, before time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context) error {
		for _, state := range []OutboxState{OutboxQueued, OutboxWritten} {
			_, err := s.db.db.Exec(ctx, `
				UPDATE messenger_outbox SET notified_at=$1
				WHERE login_id=$2 AND chat_id=$3 AND state='`+string(state)+`' AND queued_at<$4 AND notified_at=0
			`, millis(time.Now()), loginID, chatID, millis(before))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
