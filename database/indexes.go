package database

import (
	"context"
	"fmt"
)

// Indexes that bridgev2's own tables lack. Without the first, a start reads every login once per user (quadratic); without
// the second, each new name or avatar of a ghost reads all portals under bridgev2's global lock; without the third, a room's
// last message is found by sorting the room.
var coreIndexes = []string{
	`CREATE INDEX IF NOT EXISTS messenger_x_user_login_user ON user_login (bridge_id, user_mxid)`,
	`CREATE INDEX IF NOT EXISTS messenger_x_portal_other ON portal (bridge_id, other_user_id)`,
	`CREATE INDEX IF NOT EXISTS messenger_x_message_time ON message (bridge_id, room_id, room_receiver, timestamp)`,
}

// EnsureIndexes adds indexes to bridgev2's tables. It is called at every start, once those tables exist: an upgrade of
// bridgev2 that rebuilds a table drops its indexes.
func (db *Database) EnsureIndexes(ctx context.Context) error {
	for _, statement := range coreIndexes {
		if _, err := db.db.Exec(ctx, statement); err != nil {
			return fmt.Errorf("adding an index to bridgev2's tables failed: %w", err)
		}
	}
	return nil
}
