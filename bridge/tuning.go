package bridge

import (
	"strings"

	"go.mau.fi/util/dbutil"
)

// statementCache is how many compiled statements a connection to SQLite keeps. The framework and we have some hundred; to compile them anew for each message
// takes as long as to run them.
const statementCache = "256"

// defaultIdleConns is what the framework's example says of database.max_idle_conns.
const defaultIdleConns = 1

// tuneDatabase fills in what the framework's settings of the database leave open, before it is opened: compiled statements are kept, and so are connections once they are open, as each
// of them compiles its own. What an administrator has set stays.
func tuneDatabase(cfg *dbutil.Config) {
	if strings.HasPrefix(cfg.Type, "sqlite3") && strings.HasPrefix(cfg.URI, "file:") && !strings.Contains(cfg.URI, "_stmt_cache_size=") {
		separator := "?"
		if strings.ContainsRune(cfg.URI, '?') {
			separator = "&"
		}
		cfg.URI += separator + "_stmt_cache_size=" + statementCache
	}
	if cfg.MaxIdleConns <= defaultIdleConns {
		cfg.MaxIdleConns = cfg.MaxOpenConns
	}
}
