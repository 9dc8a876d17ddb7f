package database

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"go.mau.fi/util/dbutil"
)

// MarkWritten notes that queued rows are being given to the stream streamID. It is called before the bytes leave, so that a
// crash in between leaves a row that is looked for rather than one that is sent twice. It returns the rows that were still
// queued: one that was given up meanwhile, and of which its sender is told that it was not sent, is not to leave any more.
func (s *OutboxStore) MarkWritten(ctx context.Context, streamID string, seqs ...int64) (taken []int64, err error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	return s.written.do(ctx, streamRows{streamID, seqs})
}

// streamRows are rows of one stream.
type streamRows struct {
	streamID string
	seqs     []int64
}

// streamRow is one of them.
type streamRow struct {
	seq      int64
	streamID string
}

func pairsOf(streams []streamRows) (pairs []streamRow) {
	for _, stream := range streams {
		for _, seq := range stream.seqs {
			pairs = append(pairs, streamRow{seq, stream.streamID})
		}
	}
	return pairs
}

func argsOf(piece []streamRow) (args []any) {
	for _, row := range piece {
		args = append(args, row.seq, row.streamID)
	}
	return args
}

func (s *OutboxStore) markAllWritten(ctx context.Context, streams []streamRows) ([][]int64, error) {
	marked := make(map[int64]struct{})
	err := inPieces(pairsOf(streams), func(piece []streamRow) error {
		args := append(argsOf(piece), millis(time.Now()))
		seqs, err := queryAll(ctx, s.db, dbutil.ScanSingleColumn[int64], `
			UPDATE messenger_outbox SET state='written', stream_id=taken.column2, written_at=$`+strconv.Itoa(len(args))+`, attempts=attempts+1
			FROM (VALUES `+tuples(len(piece), 2, "BIGINT", "TEXT")+`) AS taken
			WHERE seq=taken.column1 AND state='queued' RETURNING seq
		`, args...)
		for _, seq := range seqs {
			marked[seq] = struct{}{}
		}
		return err
	})
	return shareOut(streams, marked), err
}

// shareOut gives each stream those of its rows that were changed, in its order; a row belongs to the first that names it.
func shareOut(streams []streamRows, changed map[int64]struct{}) [][]int64 {
	shares := make([][]int64, len(streams))
	for i, stream := range streams {
		for _, seq := range stream.seqs {
			if _, isChanged := changed[seq]; isChanged {
				delete(changed, seq)
				shares[i] = append(shares[i], seq)
			}
		}
	}
	return shares
}

// MarkConfirmed notes that the service has those of these rows that were written to the stream streamID and have not been
// put back since. It returns how many these are. An empty streamID stands for every open row.
func (s *OutboxStore) MarkConfirmed(ctx context.Context, streamID string, seqs ...int64) (int64, error) {
	if len(seqs) == 0 {
		return 0, nil
	}
	return s.confirm.do(ctx, streamRows{streamID, seqs})
}

func (s *OutboxStore) confirmAll(ctx context.Context, batches []streamRows) ([]int64, error) {
	changed := make(map[int64]struct{})
	err := inPieces(pairsOf(batches), func(piece []streamRow) error {
		now := time.Now()
		told := now
		if s.ReportConfirmed {
			told = time.Time{}
		}
		args := argsOf(piece)
		args = append(args, millis(now), millis(told))
		seqs, err := queryAll(ctx, s.db, dbutil.ScanSingleColumn[int64], `
			UPDATE messenger_outbox SET state='confirmed', body=NULL, settled_at=$`+strconv.Itoa(len(args)-1)+`, told_at=$`+strconv.Itoa(len(args))+`, error=''
			FROM (VALUES `+tuples(len(piece), 2, "BIGINT", "TEXT")+`) AS taken
			WHERE seq=taken.column1 AND (state='written' AND stream_id=taken.column2 OR state IN ('queued', 'written') AND taken.column2='') RETURNING seq
		`, args...)
		for _, seq := range seqs {
			changed[seq] = struct{}{}
		}
		return err
	})
	counts := make([]int64, len(batches))
	for i, share := range shareOut(batches, changed) {
		counts[i] = int64(len(share))
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
