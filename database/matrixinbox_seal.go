package database

import (
	"bytes"
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// purposeEvent seals the content of Matrix events: among them are the messages in which people send the bot a token or a code, and those never lie open
// on the disk, not even for the moment until they are handled.
const purposeEvent = "matrix_event"

// sealEvent is the content of an event as it is stored. Before [Database.CheckKey] there is no key, and it is stored as it is; the bridge checks the key before it
// takes any event.
func (db *Database) sealEvent(evt MatrixEvent) []byte {
	accepted := db.keys.Load()
	if accepted == nil || evt.Body == nil {
		return evt.Body
	}
	return []byte(accepted.sealer.Seal(purposeEvent, evt.EventID, evt.Body))
}

// openEvent reverses sealEvent. An event is a JSON object, so what starts with a brace was not sealed.
func (db *Database) openEvent(evt MatrixEvent) ([]byte, error) {
	if len(evt.Body) == 0 || bytes.HasPrefix(bytes.TrimSpace(evt.Body), []byte("{")) {
		return evt.Body, nil
	}
	sealer, err := db.sealer()
	if err != nil {
		return nil, err
	}
	plain, err := sealer.Open(purposeEvent, evt.EventID, string(evt.Body))
	if err != nil {
		return nil, fmt.Errorf("a stored Matrix event cannot be opened: %w", err)
	}
	return plain, nil
}

// resealEvents seals again what was sealed with a previous key, so that that key can be forgotten. Without previous keys there is
// nothing to do; with one, a start reads the table once.
func (db *Database) resealEvents(ctx context.Context, sealer *Sealer) error {
	if len(sealer.keys) < 2 {
		return nil
	}
	for after := int64(0); ; {
		events, err := queryAll(ctx, db, scanSealedEvent, `
			SELECT seq, event_id, body FROM messenger_matrix_inbox WHERE body IS NOT NULL AND seq>$1 ORDER BY seq LIMIT $2
		`, after, maxListed)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, evt := range events {
			after = evt.Seq
			if sealer.sealedWithCurrent(string(evt.Body)) {
				continue
			}
			plain, err := sealer.Open(purposeEvent, evt.EventID, string(evt.Body))
			if err != nil {
				continue // not sealed, or lost: NextForRoom says so
			}
			_, err = db.db.Exec(ctx, `UPDATE messenger_matrix_inbox SET body=$2 WHERE seq=$1`, evt.Seq, []byte(sealer.Seal(purposeEvent, evt.EventID, plain)))
			if err != nil {
				return err
			}
		}
	}
}

func scanSealedEvent(row dbutil.Scannable) (evt MatrixEvent, err error) {
	err = row.Scan(&evt.Seq, &evt.EventID, &evt.Body)
	return evt, err
}
