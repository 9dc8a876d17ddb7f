package bridge

import (
	"context"
	"errors"
	"slices"

	"github.com/rs/zerolog"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// send writes a burst, to the addresses of its chats, and returns when it is settled: what was given to the stream is confirmed,
// and the rest is queued again. Only the end of the session, or of the worker, leaves rows behind that are written and of which
// nobody knows; the next session's archive tells.
func (o *outbox) send(ctx context.Context, session *xmppside.Session, rows []database.OutboxMessage, to map[string]string) error {
	stream := o.cl.c.streamID(session.ID())
	rows, given, problem := o.write(ctx, session, stream, rows, to)
	if given < len(rows) {
		// Also when marking them has failed: it may have taken effect all the same.
		problem = errors.Join(problem, o.unwritePatiently(ctx, rows[given:]))
	}
	if given == 0 {
		return problem
	}
	if err := o.awaitAnswer(ctx, session); err != nil {
		return errors.Join(problem, err)
	}
	return errors.Join(problem, o.confirmPatiently(ctx, rows[:given], stream))
}

// write gives rows to the stream. It returns those that were still to be sent, and how many of them it has given; nothing was or
// will be written of the others. They are marked before the first byte leaves: a crash in between leaves a message that is looked
// for in the archive, and not one that is sent twice.
func (o *outbox) write(
	ctx context.Context, session *xmppside.Session, stream string, queued []database.OutboxMessage, to map[string]string,
) (rows []database.OutboxMessage, given int, err error) {
	err = o.cl.c.db.Write(ctx, func(ctx context.Context) error {
		taken, err := o.cl.c.db.Outbox.MarkWritten(ctx, stream, database.Seqs(queued)...)
		if err != nil {
			return err
		}
		// What was given up since it was read, with its sender told that it was not sent, stays here.
		rows = slices.DeleteFunc(slices.Clone(queued), func(row database.OutboxMessage) bool { return !slices.Contains(taken, row.Seq) })
		return o.cl.logOutgoing(ctx, rows, stream)
	})
	if err != nil {
		return queued, 0, err
	}
	for i, row := range rows {
		if err = session.SendMessage(ctx, to[row.ChatID], row.StanzaID, string(row.Body)); err != nil {
			return rows, i, err
		}
	}
	return rows, len(rows), nil
}

// awaitAnswer asks until the service has answered something that was asked after the burst. A late answer is as good as any, as long as it comes on this session; so while the session lives, nothing else
// settles the burst. A service that does not answer has to prove that it is there, which ends the session otherwise.
func (o *outbox) awaitAnswer(ctx context.Context, session *xmppside.Session) error {
	for {
		err := session.Barrier(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		o.cl.log.Debug().Err(err).Msg("No answer confirms what was written; it is asked for again")
		session.Nudge()
		if !o.pause(ctx, session) {
			return err
		}
	}
}

// unwritePatiently repeats unwrite until the database takes it: a row that stays written though it never left would be waited for. When the worker is ended it is tried once more.
func (o *outbox) unwritePatiently(ctx context.Context, rows []database.OutboxMessage) error {
	for attempt := 1; ; attempt++ {
		err := o.unwrite(context.WithoutCancel(ctx), rows)
		if err == nil || ctx.Err() != nil {
			return err
		}
		o.cl.log.Warn().Err(err).Msg("What could not be sent cannot be queued again yet")
		sleep(ctx, min(backoff(attempt), outboxPause))
	}
}

// unwrite puts rows back that certainly did not reach the stream.
func (o *outbox) unwrite(ctx context.Context, rows []database.OutboxMessage) error {
	return o.cl.c.db.Write(ctx, func(ctx context.Context) error {
		if err := o.cl.c.db.Outbox.Requeue(ctx, database.Seqs(rows)...); err != nil {
			return err
		}
		for _, row := range rows {
			if err := o.cl.c.db.ChatLog.Delete(ctx, row.LoginID, row.ChatID, row.StanzaID); err != nil {
				return err
			}
		}
		return nil
	})
}

// confirmPatiently repeats what the database did not take. To leave it to the next session's archive would be to forget what is known, and the archive may have moved on by then.
func (o *outbox) confirmPatiently(ctx context.Context, rows []database.OutboxMessage, stream string) error {
	for attempt := 1; ; attempt++ {
		err := o.confirm(ctx, rows, stream)
		if err == nil || ctx.Err() != nil {
			return err
		}
		o.cl.log.Warn().Err(err).Msg("A confirmation could not be stored and is tried again")
		if !sleep(ctx, min(backoff(attempt), outboxPause)) {
			return err
		}
	}
}

// confirm settles rows that the service has: those that are still written to the given stream, as its answer says nothing about one that it has sent back before; or, without one, all that are
// open, as the archive shows them.
func (o *outbox) confirm(ctx context.Context, rows []database.OutboxMessage, stream string) error {
	var confirmed int64
	err := o.cl.c.db.Write(ctx, func(ctx context.Context) (err error) {
		if confirmed, err = o.cl.c.db.Outbox.MarkConfirmed(ctx, stream, database.Seqs(rows)...); err != nil {
			return err
		}
		for _, row := range rows { // one that was sent back is not in the log any more
			if err := o.cl.c.db.ChatLog.SetState(ctx, row.LoginID, row.ChatID, row.StanzaID, logConfirmed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range rows {
		// The service's refusal of a message comes before the answer that confirms those written with it.
		refused := int(confirmed) < len(rows) && !o.isConfirmed(ctx, row)
		if refused {
			continue
		}
		o.cl.c.metrics.sent(row)
	}
	if o.cl.c.reportsStates() {
		o.cl.c.tellSoon()
	}
	return nil
}

// isConfirmed looks at what became of a row.
func (o *outbox) isConfirmed(ctx context.Context, row database.OutboxMessage) bool {
	now, found, err := o.cl.c.db.Outbox.ByStanzaID(ctx, row.LoginID, row.StanzaID)
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("A message's state cannot be read")
		return false
	}
	return found && now.State == database.OutboxConfirmed
}
