package upkeep

import (
	"context"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"matrix-messenger/bridge"
	"matrix-messenger/database"
)

// Export writes everything that is stored of a Matrix user, as JSON. The bridge may go on running.
func Export(ctx context.Context, configFile, user string, out io.Writer) error {
	setup, err := load(configFile)
	if err != nil {
		return err
	}
	db, err := setup.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	own := database.New(db, zerolog.Nop())
	defer own.Close()
	if known, err := own.KnowsUser(ctx, "", user); err != nil {
		return fmt.Errorf("the database cannot be read: %w", err)
	} else if !known {
		return fmt.Errorf("the bridge has nothing about %s; write the Matrix ID as in @alice:example.org", user)
	}
	file, err := bridge.Export(ctx, own, "", user)
	if err != nil {
		return err
	}
	_, err = out.Write(file)
	return err
}
