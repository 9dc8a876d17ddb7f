package upkeep

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/bridge"
	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
)

// setup is the configuration of the bridge whose database is looked after.
type setup struct {
	framework *bridgeconfig.Config
	network   *config.Config
	dbOwner   string // who the framework writes into the database as its owner
}

// load reads a configuration file the way the bridge does, without writing it. A file that cannot be read at all ends the program, with a message, as it does when the
// bridge starts.
func load(path string) (*setup, error) {
	m := bridge.NewMain()
	m.ConfigPath, m.SaveConfig = path, false
	m.LoadConfig()
	network := &m.Connector.Config
	if err := network.Validate(); err != nil {
		return nil, err
	}
	if m.Connector.SecretGenerated() {
		return nil, &config.KeyError{Path: "network.secret_key", Problem: "is not set; use the configuration that the bridge runs with"}
	}
	return &setup{framework: m.Config, network: network, dbOwner: m.GetDBOwner()}, nil
}

func (s *setup) bot() id.UserID {
	return id.NewUserID(s.framework.AppService.Bot.Username, s.framework.Homeserver.Domain)
}

func (s *setup) sealer() (*database.Sealer, error) {
	sealer, err := database.NewSealer(s.network.SecretKey, s.network.PreviousSecretKeys)
	if err != nil {
		return nil, fmt.Errorf("network.secret_key: %w", err)
	}
	return sealer, nil
}

// open opens the configured database. A SQLite file that is not there is not made.
func (s *setup) open() (*dbutil.Database, error) {
	if file, ok := database.SQLiteFile(s.framework.Database.URI); ok && strings.HasPrefix(s.framework.Database.Type, "sqlite") {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("the database cannot be read: %w", err)
		}
	}
	db, err := dbutil.NewFromConfig(s.dbOwner, s.framework.Database, dbutil.ZeroLogger(zerolog.Nop()))
	if err != nil {
		return nil, fmt.Errorf("database.uri: %w", err)
	}
	return db, nil
}

// openSQLite opens a SQLite file for reading only.
func openSQLite(path string) (*dbutil.Database, error) {
	return dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{
		Type: "sqlite3", URI: sqliteURI(path) + "?_query_only=on&_busy_timeout=10000", MaxOpenConns: 1, MaxIdleConns: 1,
	}}, dbutil.ZeroLogger(zerolog.Nop()))
}

// inUse says it in the words of somebody who maintains the database.
func inUse(err error, which string) error {
	if errors.Is(err, database.ErrInUse) {
		return fmt.Errorf("the %s database is in use: stop the bridge first (%w)", which, err)
	}
	return fmt.Errorf("the %s database: %w", which, err)
}
