package database

import (
	"context"
	"time"
)

// Refuse stores an event that is not to be sent as a row that has failed and whose sender is still to be told: Error is the sentence, and Body stays for whoever tells. It is never
// queued, so it counts neither as waiting nor as said in its chat. inserted is false when the event is in the outbox already, whatever became of it.
func (s *OutboxStore) Refuse(ctx context.Context, row OutboxMessage) (inserted bool, err error) {
	now := millis(time.Now())
	count, err := s.db.exec(ctx, `
		INSERT INTO messenger_outbox (
			login_id, chat_id, event_id, part, parts, stanza_id, room_id, event_type, sender_mxid, msg_type, kind, body, state, received_at, queued_at, settled_at, error
		) VALUES ($1, $2, $3, 0, 1, $4, $5, $6, $7, $8, $9, $10, 'failed', $11, $11, $11, $12) ON CONFLICT DO NOTHING
	`, row.LoginID, row.ChatID, row.EventID, row.StanzaID, row.RoomID, row.EventType, row.SenderMXID, row.MsgType, string(KindRefusal), row.Body, now, reason(row.Error))
	return count > 0, err
}
