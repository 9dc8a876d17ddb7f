package database

import (
	"context"
	"time"
)

// Open rows that are given up are of two sorts: queued ones certainly did not reach the service, written ones may have. Their
// senders are told which.

// GivenUp is what the senders of rows that are given up are told.
type GivenUp struct {
	Queued  string // it was not sent
	Written string // nobody knows
}

// Expire gives up open rows that were queued before the given time, the oldest first. It returns them as they were.
func (s *OutboxStore) Expire(ctx context.Context, before time.Time, limit int, why GivenUp) ([]OutboxMessage, error) {
	return s.giveUp(ctx, OutboxExpired, why, func(ctx context.Context) ([]OutboxMessage, error) {
		return queryAll(ctx, s.db, scanOutbox, selectOutbox+`
			WHERE state IN ('queued', 'written') AND queued_at<$1 ORDER BY queued_at, seq LIMIT $2
		`, millis(before), limit)
	})
}

// FailLogin gives up all open rows of a login. It returns them as they were.
func (s *OutboxStore) FailLogin(ctx context.Context, loginID string, why GivenUp) ([]OutboxMessage, error) {
	return s.giveUp(ctx, OutboxFailed, why, func(ctx context.Context) ([]OutboxMessage, error) { return s.Open(ctx, loginID) })
}

// FailQueued gives up the queued rows of one chat, and returns them as they were. What is written is left to whoever learns
// whether it has arrived.
func (s *OutboxStore) FailQueued(ctx context.Context, loginID, chatID, why string) ([]OutboxMessage, error) {
	return s.giveUp(ctx, OutboxFailed, GivenUp{Queued: why}, func(ctx context.Context) ([]OutboxMessage, error) {
		return queryAll(ctx, s.db, scanOutbox, selectOutbox+` WHERE login_id=$1 AND chat_id=$2 AND state='queued' ORDER BY seq`, loginID, chatID)
	})
}

// giveUp settles rows in the transaction in which they are read: a row that is written meanwhile is not called unsent.
func (s *OutboxStore) giveUp(ctx context.Context, state OutboxState, why GivenUp, read func(context.Context) ([]OutboxMessage, error)) (rows []OutboxMessage, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) (err error) {
		if rows, err = read(ctx); err != nil {
			return err
		}
		var queued, written []int64
		for _, row := range rows {
			if row.State == OutboxWritten {
				written = append(written, row.Seq)
			} else {
				queued = append(queued, row.Seq)
			}
		}
		if _, err = s.Settle(ctx, state, why.Queued, queued...); err != nil {
			return err
		}
		_, err = s.Settle(ctx, state, why.Written, written...)
		return err
	})
	return rows, err
}
