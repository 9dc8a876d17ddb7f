package database

import (
	"context"
	"errors"
	"time"
)

// ErrQueueChanged is the answer to a rearrangement of rows that are not all pending any more.
var ErrQueueChanged = errors.New("the queue of a chat changed while it was put in order")

// LastForChat returns the newest pending rows of a chat, at most limit, oldest first.
func (s *MessengerInboxStore) LastForChat(ctx context.Context, loginID, chatID string, limit int) ([]Incoming, error) {
	return queryAll(ctx, s.db, scanIncoming, `SELECT * FROM (`+selectIncoming+`
		WHERE login_id=$1 AND chat_id=$2 AND set_aside=0 ORDER BY seq DESC LIMIT $3
	) newest ORDER BY seq`, loginID, chatID, limit)
}

// AtStamp returns the rows of a chat, pending or set aside, that have exactly this time.
func (s *MessengerInboxStore) AtStamp(ctx context.Context, loginID, chatID string, stamp time.Time) ([]Incoming, error) {
	return queryAll(ctx, s.db, scanIncoming, selectIncoming+`
		WHERE login_id=$1 AND chat_id=$2 AND stamp=$3 ORDER BY seq
	`, loginID, chatID, millis(stamp))
}

// Rearrange puts rows at the end of a chat's queue, in their order and in one transaction: those with a Seq are moved there from where they are, the
// others are new. What has come in after the row lastSeen is moved behind them all. Nothing is changed, and the error says so, when a row to be moved is not pending any more.
func (s *MessengerInboxStore) Rearrange(ctx context.Context, loginID, chatID string, lastSeen int64, rows []Incoming) error {
	return s.db.Write(ctx, func(ctx context.Context) error {
		later, err := queryAll(ctx, s.db, scanIncoming, selectIncoming+`
			WHERE login_id=$1 AND chat_id=$2 AND set_aside=0 AND seq>$3 ORDER BY seq
		`, loginID, chatID, lastSeen)
		if err != nil {
			return err
		}
		all := append(append([]Incoming(nil), rows...), later...)
		for _, row := range all {
			if row.Seq == 0 {
				continue
			}
			result, err := s.db.db.Exec(ctx, `DELETE FROM messenger_inbox WHERE seq=$1 AND login_id=$2 AND chat_id=$3 AND set_aside=0`, row.Seq, loginID, chatID)
			if err != nil {
				return err
			}
			if count, err := result.RowsAffected(); err != nil {
				return err
			} else if count != 1 {
				return ErrQueueChanged
			}
		}
		if len(all) == 0 {
			return nil
		}
		_, err = s.putAll(ctx, all)
		return err
	})
}
