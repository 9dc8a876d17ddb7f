package database

import (
	"bytes"
	"fmt"
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
