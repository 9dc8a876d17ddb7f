package bridge

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/crypto/sql_store_upgrade"
	"maunium.net/go/mautrix/sqlstatestore"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
)

// claimDatabase makes sure, before anything is changed, that this process has the database for itself and can work with what is in it.
func (m *Main) claimDatabase(ctx context.Context) error {
	settings := m.Config.Database
	claim, err := database.TakeClaim(ctx, settings.Type, settings.URI, "bot "+m.Matrix.Bot.UserID.String())
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	m.Connector.claim = claim
	m.Connector.spawn(func(ctx context.Context) {
		select {
		case <-claim.Lost():
			m.Log.Error().Msg("Another process has taken the database while it could not be reached; the bridge ends, so that nothing is sent twice")
			m.end(ExitTaken)
		case <-ctx.Done():
		}
	})
	return m.checkVersions(ctx)
}

// VersionTable is the table that holds the version of a group of tables, and the newest version that this program
// knows.
type VersionTable struct {
	Name   string
	Newest int
}

// VersionTables lists those of a bridge's database: the framework's, of rooms, of encryption (only there when it was
// ever used), and our own. The framework has said by then what it knows of its own (bridgev2's database.New does).
func VersionTables(db *dbutil.Database) []VersionTable {
	return []VersionTable{
		{db.VersionTable, len(db.UpgradeTable)},
		{sqlstatestore.VersionTableName, len(sqlstatestore.UpgradeTable)},
		{sql_store_upgrade.VersionTableName, len(sql_store_upgrade.Table)},
		{database.VersionTable, database.Latest},
	}
}

// checkVersions refuses a database that a newer program has used, for each group of tables in it. The framework checks
// its own too, but only after others have been upgraded.
func (m *Main) checkVersions(ctx context.Context) error {
	if m.DB.IgnoreUnsupportedDatabase {
		return nil
	}
	for _, group := range VersionTables(m.DB) {
		newer, err := database.NewerThan(ctx, m.DB, group.Name, group.Newest)
		if err != nil {
			return fmt.Errorf("database: %w", err)
		} else if newer {
			return fmt.Errorf("database: %w (table %s)", database.ErrTooNew, group.Name)
		}
	}
	return nil
}

// checkOwner refuses a database that belongs to a bridge with another identity: its rooms and ghosts would be strangers to this one.
func (m *Main) checkOwner(ctx context.Context) error {
	err := m.Connector.db.CheckOwner(ctx, Owner(m.Config))
	var other *database.NotOwnerError
	if errors.As(err, &other) {
		return &config.KeyError{
			Path:    other.Key,
			Problem: fmt.Sprintf("is %q, but the database belongs to the bridge with %q. Use the configuration that goes with the database, or give this bridge a database of its own", other.Value, other.Belongs),
		}
	} else if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// Owner is the identity that a database is bound to.
func Owner(cfg *bridgeconfig.Config) []database.Owner {
	return []database.Owner{
		{Key: "homeserver.domain", Value: cfg.Homeserver.Domain},
		{Key: "appservice.id", Value: cfg.AppService.ID},
		{Key: "appservice.bot.username", Value: cfg.AppService.Bot.Username},
		{Key: "appservice.username_template", Value: cfg.AppService.UsernameTemplate},
	}
}
