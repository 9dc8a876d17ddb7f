package bridge

import (
	"context"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// settleEarlier decides about messages that were written to a stream which broke before they were confirmed. Nothing new is written before that is done, because
// the order within a chat would be lost.
func (o *outbox) settleEarlier(ctx context.Context, session *xmppside.Session) error {
	o.mu.Lock()
	settled, suspect := o.settled == session.ID(), o.suspect
	o.mu.Unlock()
	if settled {
		return nil
	}
	rows, err := o.cl.c.db.Outbox.Unconfirmed(ctx, o.cl.id(), "")
	if err != nil {
		return err
	}
	var chats []string
	seen := map[string]bool{}
	for _, row := range rows {
		if row.StanzaID == suspect {
			if err = o.fail(ctx, row, noticeMalformed); err != nil {
				return err
			}
			continue
		}
		if !seen[row.ChatID] {
			seen[row.ChatID] = true
			chats = append(chats, row.ChatID)
		}
	}
	for _, chat := range chats {
		if err = o.settleChat(ctx, session, chat); err != nil {
			return err
		}
	}
	o.mu.Lock()
	o.settled, o.suspect = session.ID(), ""
	o.mu.Unlock()
	return nil
}

// settleChat decides about the unconfirmed messages of one chat: what the archive shows has arrived, what it would show if it had arrived has not, and of the rest nobody
// knows.
func (o *outbox) settleChat(ctx context.Context, session *xmppside.Session, chat string) error {
	if err := o.cl.history.catchUp(ctx, session, chat); err != nil {
		return err
	}
	rows, err := o.cl.c.db.Outbox.Unconfirmed(ctx, o.cl.id(), chat)
	if err != nil {
		return err
	}
	return o.settleUncertain(ctx, rows)
}

// settleByArchive confirms messages that the archive shows, and queues those again that it would show if they had arrived. What was written again meanwhile is left alone.
func (o *outbox) settleByArchive(ctx context.Context, arrived, absent []database.OutboxMessage) error {
	if len(arrived) > 0 {
		if err := o.confirm(ctx, arrived, ""); err != nil {
			return err
		}
		o.cl.c.metrics.settledUncertain(outcomeArchived, len(arrived))
	}
	if len(absent) == 0 {
		return nil
	}
	var again []database.OutboxMessage
	err := o.cl.c.db.Write(ctx, func(ctx context.Context) error {
		again = nil
		for _, row := range absent {
			now, found, err := o.cl.c.db.Outbox.ByStanzaID(ctx, row.LoginID, row.StanzaID)
			if err != nil {
				return err
			}
			if found && now.State == database.OutboxWritten && now.StreamID == row.StreamID {
				again = append(again, now)
			}
		}
		return o.unwrite(ctx, again)
	})
	if err != nil {
		return err
	}
	o.cl.c.metrics.settledUncertain(outcomeMissing, len(again))
	o.kick()
	return nil
}

// suspected is the stanza ID of the message that the service ended the last stream over, empty when there is none. It is not sent again, whatever the archive shows.
func (o *outbox) suspected() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.suspect
}

// settleUncertain decides about messages that neither a confirmation nor the archive tells about, as the setting `uncertain` says.
func (o *outbox) settleUncertain(ctx context.Context, rows []database.OutboxMessage) error {
	if len(rows) == 0 {
		return nil
	}
	if o.cl.c.Config.Uncertain == config.UncertainResend {
		if err := o.unwrite(ctx, rows); err != nil {
			return err
		}
		o.cl.c.metrics.settledUncertain(outcomeResent, len(rows))
		return nil
	}
	if _, err := o.cl.c.db.Outbox.Fail(ctx, noticeUncertain, database.Seqs(rows)...); err != nil {
		return err
	}
	o.cl.c.metrics.settledUncertain(outcomeReported, len(rows))
	o.cl.c.notDelivered(len(rows), resultFailed)
	return nil
}
