package database

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mau.fi/util/dbutil"
)

// MatrixEvent is an event that the homeserver has delivered.
type MatrixEvent struct {
	Seq        int64 // order of arrival
	EventID    string
	RoomID     string
	TxnID      string // of the transaction it came with first
	Body       []byte // the event as received, JSON; nil once handled
	ReceivedAt time.Time
	Attempts   int // how often it was counted with CountAttempt
}

// MatrixInboxStore keeps events from the moment the homeserver is told that we have them until they are handled. The IDs of
// handled ones stay until [MatrixInboxStore.PruneHandled], and make a repeated delivery harmless.
type MatrixInboxStore struct {
	db      *Database
	insert  *bulk[[]MatrixEvent, []MatrixEvent]
	handled *bulk[int64, struct{}]
}

func newMatrixInboxStore(db *Database) *MatrixInboxStore {
	s := &MatrixInboxStore{db: db}
	s.insert = &bulk[[]MatrixEvent, []MatrixEvent]{db: db, run: s.insertAll}
	s.handled = bulkBySeq(db, `
		UPDATE messenger_matrix_inbox SET state='handled', body=NULL, handled_at=$1 WHERE state='pending'
	`, func() []any { return []any{millis(time.Now())} })
	return s
}

// InsertBatch stores the events of one transaction, in order, all or none. It returns those that were not known yet, with
// their Seq set.
func (s *MatrixInboxStore) InsertBatch(ctx context.Context, events []MatrixEvent) (fresh []MatrixEvent, err error) {
	return s.insert.do(ctx, events)
}

func (s *MatrixInboxStore) insertAll(ctx context.Context, batches [][]MatrixEvent) ([][]MatrixEvent, error) {
	seqs := make(map[string]int64) // of the events that were not known
	err := inPieces(slices.Concat(batches...), func(piece []MatrixEvent) error {
		args := make([]any, 0, 5*len(piece))
		for _, evt := range piece {
			args = append(args, evt.EventID, evt.RoomID, evt.TxnID, s.db.sealEvent(evt), millis(evt.ReceivedAt))
		}
		inserted, err := queryAll(ctx, s.db, scanNumbered, `
			INSERT INTO messenger_matrix_inbox (event_id, room_id, txn_id, body, received_at) VALUES `+tuples(len(piece), 5)+`
			ON CONFLICT (event_id) DO NOTHING RETURNING seq, event_id
		`, args...)
		for _, row := range inserted {
			seqs[row.name] = row.seq
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	fresh := make([][]MatrixEvent, len(batches))
	for i, batch := range batches {
		for _, evt := range batch {
			seq, isFresh := seqs[evt.EventID]
			if !isFresh {
				continue
			}
			delete(seqs, evt.EventID) // a repetition further on is none
			evt.Seq = seq
			fresh[i] = append(fresh[i], evt)
		}
	}
	return fresh, nil
}

// NextForRoom returns up to limit pending events of a room with a Seq above after, oldest first. An event whose content cannot be
// opened has none.
func (s *MatrixInboxStore) NextForRoom(ctx context.Context, roomID string, after int64, limit int) ([]MatrixEvent, error) {
	events, err := queryAll(ctx, s.db, scanMatrixEvent, `
		SELECT seq, event_id, room_id, txn_id, body, received_at, attempts FROM messenger_matrix_inbox
		WHERE room_id=$1 AND state='pending' AND seq>$2 ORDER BY seq LIMIT $3
	`, roomID, after, limit)
	if err != nil {
		return nil, err
	}
	for i := range events {
		events[i].Body, err = s.db.openEvent(events[i])
		switch {
		case errors.Is(err, ErrNoKey):
			return nil, err
		case err != nil: // will not be better another time, and must not hold up the room: without content it is set aside
			s.db.log.Error().Err(err).Str("event_id", events[i].EventID).Msg("A stored Matrix event is lost")
		}
	}
	return events, nil
}

// RoomsPending lists the rooms that have pending events, the room with the oldest one first.
func (s *MatrixInboxStore) RoomsPending(ctx context.Context) ([]string, error) {
	return queryAll(ctx, s.db, dbutil.ScanSingleColumn[string], `
		SELECT room_id FROM messenger_matrix_inbox WHERE state='pending' GROUP BY room_id ORDER BY MIN(seq)
	`)
}

// LastSeq is the highest Seq given so far, 0 if none: what is pending up to it at a start is left over from earlier runs.
func (s *MatrixInboxStore) LastSeq(ctx context.Context) (seq int64, err error) {
	err = s.db.db.QueryRow(ctx, `SELECT COALESCE(MAX(seq), 0) FROM messenger_matrix_inbox`).Scan(&seq)
	return seq, err
}

// CountAttempt notes, before an event is dispatched, that it is about to be. It returns the count including this one.
func (s *MatrixInboxStore) CountAttempt(ctx context.Context, seq int64) (attempts int, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		return s.db.db.QueryRow(ctx, `
			UPDATE messenger_matrix_inbox SET attempts=attempts+1 WHERE seq=$1 RETURNING attempts
		`, seq).Scan(&attempts)
	})
	return attempts, err
}

// MarkHandled notes that an event needs nothing more, and drops its content.
func (s *MatrixInboxStore) MarkHandled(ctx context.Context, seq int64) error {
	_, err := s.handled.do(ctx, seq)
	return err
}

// Poison sets an event aside that cannot be handled. Its content stays for whoever looks into it, until PruneHandled or [Database.ForgetRoom].
func (s *MatrixInboxStore) Poison(ctx context.Context, seq int64, why string) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_matrix_inbox SET state='poisoned', error=$3, handled_at=$2 WHERE seq=$1 AND state='pending'
	`, seq, millis(time.Now()), reason(why))
	return err
}

// PruneHandled forgets events that were handled or poisoned before the given time.
func (s *MatrixInboxStore) PruneHandled(ctx context.Context, before time.Time) (count int64, err error) {
	return s.db.exec(ctx, `DELETE FROM messenger_matrix_inbox WHERE state<>'pending' AND handled_at<$1`, millis(before))
}

// Depth counts pending events.
func (s *MatrixInboxStore) Depth(ctx context.Context) (int, error) {
	return queryCount(ctx, s.db, `SELECT COUNT(*) FROM messenger_matrix_inbox WHERE state='pending'`)
}

func scanMatrixEvent(row dbutil.Scannable) (evt MatrixEvent, err error) {
	var receivedAt int64
	err = row.Scan(&evt.Seq, &evt.EventID, &evt.RoomID, &evt.TxnID, &evt.Body, &receivedAt, &evt.Attempts)
	evt.ReceivedAt = fromMillis(receivedAt)
	return evt, err
}
