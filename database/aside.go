package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// AsideNotice is what the user of a login is told about the messages of a chat that were set aside: one sentence for a reason,
// until something gets into the chat's room again.
type AsideNotice struct {
	LoginID string
	ChatID  string
	Reason  string    // the bridge's own words
	Stamp   time.Time // of the first message it is about
	NotedAt time.Time // tells it from other notices of the chat
}

// AsideStore keeps these notices, so that one is told once, and in spite of a crash or a homeserver that is away.
type AsideStore struct{ db *Database }

// Note stores that a notice is to be told, unless the chat's latest one has the same reason. It belongs into the transaction
// that sets the message aside.
func (s *AsideStore) Note(ctx context.Context, n AsideNotice) error {
	_, err := s.db.exec(ctx, `
		INSERT INTO messenger_aside_notice (login_id, chat_id, reason, stamp, noted_at, told_at) VALUES ($1, $2, $3, $4, $5, 0)
		ON CONFLICT (login_id, chat_id) DO UPDATE SET reason=excluded.reason, stamp=excluded.stamp, noted_at=excluded.noted_at, told_at=0
		WHERE messenger_aside_notice.reason<>excluded.reason
	`, n.LoginID, n.ChatID, reason(n.Reason), millis(n.Stamp), millis(time.Now()))
	return err
}

// Untold returns notices that are still to be told, at most limit, in no order: what cannot be told keeps no other from its
// turn.
func (s *AsideStore) Untold(ctx context.Context, limit int) ([]AsideNotice, error) {
	return queryAll(ctx, s.db, scanAsideNotice, selectAsideNotice+` WHERE told_at=0 ORDER BY RANDOM() LIMIT $1`, limit)
}

// UntoldOf returns the notice of a chat if it is still to be told.
func (s *AsideStore) UntoldOf(ctx context.Context, loginID, chatID string) (n AsideNotice, found bool, err error) {
	return queryOne(ctx, s.db, scanAsideNotice, selectAsideNotice+` WHERE login_id=$1 AND chat_id=$2 AND told_at=0`, loginID, chatID)
}

// MarkTold notes that a notice was told, unless another one has taken its place meanwhile.
func (s *AsideStore) MarkTold(ctx context.Context, n AsideNotice) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_aside_notice SET told_at=$1 WHERE login_id=$2 AND chat_id=$3 AND reason=$4 AND noted_at=$5
	`, millis(time.Now()), n.LoginID, n.ChatID, n.Reason, millis(n.NotedAt))
	return err
}

// Forget removes the notice of a chat that was told: the next reason is news again, whichever it is. One that is still to be
// told stays.
func (s *AsideStore) Forget(ctx context.Context, loginID, chatID string) (forgotten bool, err error) {
	count, err := s.db.exec(ctx, `DELETE FROM messenger_aside_notice WHERE login_id=$1 AND chat_id=$2 AND told_at<>0`, loginID, chatID)
	return count > 0, err
}

// Chats are all chats that have a notice.
func (s *AsideStore) Chats(ctx context.Context) ([]ChatKey, error) {
	return queryAll(ctx, s.db, scanChatKey, `SELECT login_id, chat_id FROM messenger_aside_notice`)
}

const selectAsideNotice = `SELECT login_id, chat_id, reason, stamp, noted_at FROM messenger_aside_notice`

func scanAsideNotice(row dbutil.Scannable) (n AsideNotice, err error) {
	var stamp, notedAt int64
	err = row.Scan(&n.LoginID, &n.ChatID, &n.Reason, &stamp, &notedAt)
	n.Stamp, n.NotedAt = fromMillis(stamp), fromMillis(notedAt)
	return n, err
}
