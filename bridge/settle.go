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
	byChat := map[string][]database.OutboxMessage{}
	for _, row := range rows {
		if row.StanzaID == suspect {
			if err = o.fail(ctx, row, noticeMalformed); err != nil {
				return err
			}
			continue
		}
		if len(byChat[row.ChatID]) == 0 {
			chats = append(chats, row.ChatID)
		}
		byChat[row.ChatID] = append(byChat[row.ChatID], row)
	}
	for _, chat := range chats {
		if err = o.settleChat(ctx, session, chat, byChat[chat]); err != nil {
			return err
		}
	}
	o.mu.Lock()
	o.settled, o.suspect = session.ID(), ""
	o.mu.Unlock()
	return nil
}

// settleChat decides about the unconfirmed messages of one chat.
func (o *outbox) settleChat(ctx context.Context, _ *xmppside.Session, _ string, rows []database.OutboxMessage) error {
	return o.settleUncertain(ctx, rows)
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
	if _, err := o.cl.c.db.Outbox.Fail(ctx, noticeUncertain, seqs(rows)...); err != nil {
		return err
	}
	o.cl.c.metrics.settledUncertain(outcomeReported, len(rows))
	o.cl.c.tellSenders(ctx, rows, noticeUncertain, resultFailed)
	return nil
}
