package database

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mau.fi/util/dbutil"
)

// MarkWritten notes that queued rows are being given to the stream streamID. It is called before the bytes leave, so that a
// crash in between leaves a row that is looked for rather than one that is sent twice.
func (s *OutboxStore) MarkWritten(ctx context.Context, streamID string, seqs ...int64) error {
	if len(seqs) == 0 {
		return nil
	}
	_, err := s.written.do(ctx, writtenRows{streamID, seqs})
	return err
}

// writtenRows is what one stream takes over.
type writtenRows struct {
	streamID string
	seqs     []int64
}

func (s *OutboxStore) markAllWritten(ctx context.Context, streams []writtenRows) ([]struct{}, error) {
	type pair struct {
		seq      int64
		streamID string
	}
	var pairs []pair
	for _, stream := range streams {
		for _, seq := range stream.seqs {
			pairs = append(pairs, pair{seq, stream.streamID})
		}
	}
	err := inPieces(pairs, func(piece []pair) error {
		var args []any
		for _, p := range piece {
			args = append(args, p.seq, p.streamID)
		}
		args = append(args, millis(time.Now()))
		_, err := s.db.db.Exec(ctx, `
			UPDATE messenger_outbox SET state='written', stream_id=taken.column2, written_at=$`+strconv.Itoa(len(args))+`, attempts=attempts+1
			FROM (VALUES `+tuples(len(piece), 2, "BIGINT", "TEXT")+`) AS taken
			WHERE seq=taken.column1 AND state='queued'
		`, args...)
		return err
	})
	return make([]struct{}, len(streams)), err
}

// MarkConfirmed notes that the service has these rows. It returns how many were open until now.
func (s *OutboxStore) MarkConfirmed(ctx context.Context, seqs ...int64) (int64, error) {
	if len(seqs) == 0 {
		return 0, nil
	}
	return s.confirm.do(ctx, seqs)
}

func (s *OutboxStore) confirmAll(ctx context.Context, batches [][]int64) ([]int64, error) {
	changed := make(map[int64]struct{})
	err := inPieces(slices.Concat(batches...), func(piece []int64) error {
		now := time.Now()
		told := now
		if s.ReportConfirmed {
			told = time.Time{}
		}
		list, args := listOf(3, []any{millis(now), millis(told)}, piece)
		seqs, err := queryAll(ctx, s.db, dbutil.ScanSingleColumn[int64], `
			UPDATE messenger_outbox SET state='confirmed', body=NULL, settled_at=$1, told_at=$2, error=''
			WHERE state IN ('queued', 'written') AND seq IN (`+list+`) RETURNING seq
		`, args...)
		for _, seq := range seqs {
			changed[seq] = struct{}{}
		}
		return err
	})
	counts := make([]int64, len(batches))
	for i, batch := range batches {
		for _, seq := range batch {
			if _, isChanged := changed[seq]; isChanged {
				delete(changed, seq)
				counts[i]++
			}
		}
	}
	return counts, err
}

// Requeue puts written rows back into the queue, at their old place.
func (s *OutboxStore) Requeue(ctx context.Context, seqs ...int64) error {
	_, err := s.update(ctx, seqs, `state='queued', stream_id=$1`, `state='written'`, "")
	return err
}

// Settle ends rows as failed or expired, with a sentence for the sender. Confirmed rows can still fail, because a service may
// answer a message with an error after it has taken it; that they were reported as confirmed is forgotten then, so that their sender is told.
// It returns how many rows changed, so that a reason is told once.
func (s *OutboxStore) Settle(ctx context.Context, state OutboxState, why string, seqs ...int64) (int64, error) {
	if state != OutboxFailed && state != OutboxExpired {
		return 0, fmt.Errorf("a message cannot be settled as %q", state)
	}
	return s.update(ctx, seqs, `state=$1, error=$2, body=NULL, settled_at=$3, told_at=0`, `state IN ('queued', 'written', 'confirmed')`,
		string(state), reason(why), millis(time.Now()))
}

// Fail is [OutboxStore.Settle] with the state failed.
func (s *OutboxStore) Fail(ctx context.Context, why string, seqs ...int64) (int64, error) {
	return s.Settle(ctx, OutboxFailed, why, seqs...)
}

// MarkNotified notes that the sender was told that these rows are late.
func (s *OutboxStore) MarkNotified(ctx context.Context, seqs ...int64) error {
	_, err := s.update(ctx, seqs, `notified_at=$1`, `notified_at=0`, millis(time.Now()))
	return err
}

// FailLogin fails all open rows of a login with one reason and returns them as they were, for telling their senders.
func (s *OutboxStore) FailLogin(ctx context.Context, loginID, why string) (rows []OutboxMessage, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		var err error
		rows, err = s.Open(ctx, loginID)
		if err != nil {
			return err
		}
		_, err = s.Fail(ctx, why, Seqs(rows)...)
		return err
	})
	return rows, err
}

// PruneSettled forgets rows that were settled before the given time, but none whose sender is still to be told that it was not delivered.
func (s *OutboxStore) PruneSettled(ctx context.Context, before time.Time) (count int64, err error) {
	return s.db.exec(ctx, `DELETE FROM messenger_outbox WHERE settled_at<>0 AND settled_at<$1 AND (told_at<>0 OR state='confirmed')`, millis(before))
}

// update changes rows by seq, in one transaction. set uses the placeholders $1… for args.
func (s *OutboxStore) update(ctx context.Context, seqs []int64, set, where string, args ...any) (count int64, err error) {
	if len(seqs) == 0 {
		return 0, nil
	}
	err = s.db.Write(ctx, func(ctx context.Context) error {
		count = 0
		return inPieces(seqs, func(piece []int64) error {
			list, allArgs := listOf(len(args)+1, append([]any(nil), args...), piece)
			result, err := s.db.db.Exec(ctx, `UPDATE messenger_outbox SET `+set+` WHERE seq IN (`+list+`) AND `+where, allArgs...)
			if err != nil {
				return err
			}
			changed, err := result.RowsAffected()
			count += changed
			return err
		})
	})
	return count, err
}

// Seqs are the numbers of rows.
func Seqs(rows []OutboxMessage) []int64 {
	seqs := make([]int64, len(rows))
	for i, row := range rows {
		seqs[i] = row.Seq
	}
	return seqs
}
