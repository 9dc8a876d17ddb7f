package database

import (
	"context"
	"time"
)

// Probe writes something that means nothing, to find out whether anything can be written.
func (db *Database) Probe(ctx context.Context) error {
	_, err := db.exec(ctx, `
		INSERT INTO messenger_probe (id, written_at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET written_at=excluded.written_at
	`, millis(time.Now()))
	return err
}
