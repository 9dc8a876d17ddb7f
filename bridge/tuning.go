package bridge

import (
	"strings"

	"go.mau.fi/util/dbutil"

	"matrix-messenger/database"
)

// statementCache is how many compiled statements a connection to SQLite keeps. The framework and we have some hundred; to compile them anew for each message
// takes as long as to run them.
const statementCache = "256"

// defaultIdleConns is what the framework's example says of database.max_idle_conns.
const defaultIdleConns = 1

// tuneDatabase fills in what the framework's settings of the database leave open, before it is opened: compiled statements are kept, and so are connections once they are open, as each
// of them compiles its own; a transaction that will write says so when it begins, so that no other writer comes between; commits do not wait for checkpoints. What an administrator has
// set stays.
func tuneDatabase(cfg *dbutil.Config) {
	if strings.HasPrefix(cfg.Type, "sqlite3") && strings.HasPrefix(cfg.URI, "file:") {
		for _, setting := range []string{"_txlock=immediate", "_stmt_cache_size=" + statementCache} {
			if name, _, _ := strings.Cut(setting, "="); strings.Contains(cfg.URI, name+"=") {
				continue
			}
			separator := "?"
			if strings.ContainsRune(cfg.URI, '?') {
				separator = "&"
			}
			cfg.URI += separator + setting
		}
	}
	cfg.Type = database.Checkpointed(cfg.Type)
	if cfg.MaxIdleConns <= defaultIdleConns {
		cfg.MaxIdleConns = cfg.MaxOpenConns
	}
}
