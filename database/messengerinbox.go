package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Incoming is something read from the service that Matrix is to show.
type Incoming struct {
	Seq        int64 // order of arrival
	LoginID    string
	ChatID     string
	DedupeKey  string // unique per login; what its Matrix transaction ID is derived from
	Kind       string // message, own, notice: the bridge's own words
	Body       []byte // the bridge's own encoding
	Stamp      time.Time
	ReceivedAt time.Time
	Error      string // why it was set aside; it stays when the row is tried again
}

// ChatKey names a chat of a login.
type ChatKey struct {
	LoginID string
	ChatID  string
}

// MessengerInboxStore keeps what was read from the service until the homeserver has it. A row is removed when that is certain,
// or set aside when it never will be.
type MessengerInboxStore struct {
	db     *Database
	put    *bulk[Incoming, placed]
	remove *bulk[int64, struct{}]
}

// inboxKey is what is unique.
type inboxKey struct{ login, dedupe string }

type placedKey struct {
	inboxKey
	seq int64
}

func scanPlacedKey(row dbutil.Scannable) (p placedKey, err error) {
	err = row.Scan(&p.seq, &p.login, &p.dedupe)
	return p, err
}

// placed is where a row is, and whether it is new there.
type placed struct {
	seq   int64
	fresh bool
}

func newMessengerInboxStore(db *Database) *MessengerInboxStore {
	s := &MessengerInboxStore{db: db}
	s.put = &bulk[Incoming, placed]{db: db, run: s.putAll}
	s.remove = bulkBySeq(db, `DELETE FROM messenger_inbox WHERE true`, func() []any { return nil })
	return s
}

// Put stores one row; a zero ReceivedAt means now. inserted is false when its key is already there (pending or set aside);
// seq is the row's in either case.
func (s *MessengerInboxStore) Put(ctx context.Context, in Incoming) (seq int64, inserted bool, err error) {
	row, err := s.put.do(ctx, in)
	return row.seq, row.fresh, err
}

func (s *MessengerInboxStore) putAll(ctx context.Context, rows []Incoming) ([]placed, error) {
	fresh := make(map[inboxKey]int64)
	err := inPieces(rows, func(piece []Incoming) error {
		args := make([]any, 0, 8*len(piece))
		for _, in := range piece {
			if in.ReceivedAt.IsZero() {
				in.ReceivedAt = time.Now()
			}
			if in.Body == nil {
				in.Body = []byte{}
			}
			args = append(args, in.LoginID, in.ChatID, in.DedupeKey, in.Kind, in.Body, millis(in.Stamp), millis(in.ReceivedAt), in.Error)
		}
		inserted, err := queryAll(ctx, s.db, scanPlacedKey, `
			INSERT INTO messenger_inbox (login_id, chat_id, dedupe_key, kind, body, stamp, received_at, error) VALUES `+tuples(len(piece), 8)+`
			ON CONFLICT (login_id, dedupe_key) DO NOTHING RETURNING seq, login_id, dedupe_key
		`, args...)
		for _, row := range inserted {
			fresh[row.inboxKey] = row.seq
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]placed, len(rows))
	for i, in := range rows {
		k := inboxKey{in.LoginID, in.DedupeKey}
		if seq, isFresh := fresh[k]; isFresh {
			delete(fresh, k) // a repetition further on is none
			out[i] = placed{seq, true}
			continue
		}
		err = s.db.db.QueryRow(ctx, `
			SELECT seq FROM messenger_inbox WHERE login_id=$1 AND dedupe_key=$2
		`, in.LoginID, in.DedupeKey).Scan(&out[i].seq)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PendingChats lists the chats that have rows, the one with the oldest row first.
func (s *MessengerInboxStore) PendingChats(ctx context.Context) ([]ChatKey, error) {
	return queryAll(ctx, s.db, scanChatKey, `
		SELECT login_id, chat_id FROM messenger_inbox WHERE set_aside=0 GROUP BY login_id, chat_id ORDER BY MIN(seq)
	`)
}

// NextForChat returns the oldest row of a chat.
func (s *MessengerInboxStore) NextForChat(ctx context.Context, loginID, chatID string) (in Incoming, found bool, err error) {
	return queryOne(ctx, s.db, scanIncoming, selectIncoming+`
		WHERE login_id=$1 AND chat_id=$2 AND set_aside=0 ORDER BY seq LIMIT 1
	`, loginID, chatID)
}

// Delete removes a row that is done.
func (s *MessengerInboxStore) Delete(ctx context.Context, seq int64) error {
	_, err := s.remove.do(ctx, seq)
	return err
}

// SetAside takes a row out of its chat's way. Its content stays for another try ([MessengerInboxStore.Restore]), until PruneSetAside.
func (s *MessengerInboxStore) SetAside(ctx context.Context, seq int64, why string) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_inbox SET set_aside=$2, error=$3 WHERE seq=$1 AND set_aside=0
	`, seq, millis(time.Now()), reason(why))
	return err
}

// Restore puts the rows of a login that were set aside, of one chat or (chatID empty) of all, back to where they were in the
// queues; their errors stay and tell them from rows that were never tried. It returns the chat of each.
func (s *MessengerInboxStore) Restore(ctx context.Context, loginID, chatID string) (chats []string, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) (err error) {
		chats, err = queryAll(ctx, s.db, dbutil.ScanSingleColumn[string], `
			UPDATE messenger_inbox SET set_aside=0 WHERE login_id=$1 AND ($2='' OR chat_id=$2) AND set_aside<>0 RETURNING chat_id
		`, loginID, chatID)
		return err
	})
	return chats, err
}

// PruneSetAside forgets rows that were set aside before the given time.
func (s *MessengerInboxStore) PruneSetAside(ctx context.Context, before time.Time) (count int64, err error) {
	return s.db.exec(ctx, `DELETE FROM messenger_inbox WHERE set_aside<>0 AND set_aside<$1`, millis(before))
}

// Depth counts pending rows.
func (s *MessengerInboxStore) Depth(ctx context.Context) (int, error) {
	return queryCount(ctx, s.db, `SELECT COUNT(*) FROM messenger_inbox WHERE set_aside=0`)
}

const selectIncoming = `
	SELECT seq, login_id, chat_id, dedupe_key, kind, body, stamp, received_at, error FROM messenger_inbox`

func scanIncoming(row dbutil.Scannable) (in Incoming, err error) {
	var stamp, receivedAt int64
	err = row.Scan(&in.Seq, &in.LoginID, &in.ChatID, &in.DedupeKey, &in.Kind, &in.Body, &stamp, &receivedAt, &in.Error)
	in.Stamp, in.ReceivedAt = fromMillis(stamp), fromMillis(receivedAt)
	return in, err
}

func scanChatKey(row dbutil.Scannable) (chat ChatKey, err error) {
	err = row.Scan(&chat.LoginID, &chat.ChatID)
	return chat, err
}

// LastSeq is the highest Seq given so far to a row that is still there, 0 if none: what stands up to it at a start is left over from earlier runs.
func (s *MessengerInboxStore) LastSeq(ctx context.Context) (seq int64, err error) {
	err = s.db.db.QueryRow(ctx, `SELECT COALESCE(MAX(seq), 0) FROM messenger_inbox`).Scan(&seq)
	return seq, err
}
