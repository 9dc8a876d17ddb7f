package bridge

import (
	"testing"

	"go.mau.fi/util/dbutil"
)

func TestTheDatabaseIsTunedUnlessItWasSet(t *testing.T) {
	for _, test := range []struct {
		before, after dbutil.Config
	}{
		{
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal", URI: "file:a.db?_txlock=immediate", MaxOpenConns: 5, MaxIdleConns: 1}},
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal+checkpointer", URI: "file:a.db?_txlock=immediate&_stmt_cache_size=256", MaxOpenConns: 5, MaxIdleConns: 5}},
		},
		{
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal-fullsync", URI: "file:a.db", MaxOpenConns: 5, MaxIdleConns: 3}},
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal-fullsync+checkpointer", URI: "file:a.db?_txlock=immediate&_stmt_cache_size=256", MaxOpenConns: 5, MaxIdleConns: 3}},
		},
		{
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal", URI: "file:a.db?_stmt_cache_size=0", MaxOpenConns: 1, MaxIdleConns: 1}},
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal+checkpointer", URI: "file:a.db?_stmt_cache_size=0&_txlock=immediate", MaxOpenConns: 1, MaxIdleConns: 1}},
		},
		{ // a bare path has no parameters
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal", URI: "a.db", MaxOpenConns: 5, MaxIdleConns: 5}},
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "sqlite3-fk-wal+checkpointer", URI: "a.db", MaxOpenConns: 5, MaxIdleConns: 5}},
		},
		{
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "postgres", URI: "postgres://host/bridge", MaxOpenConns: 5, MaxIdleConns: 1}},
			dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "postgres", URI: "postgres://host/bridge", MaxOpenConns: 5, MaxIdleConns: 5}},
		},
	} {
		got := test.before
		if tuneDatabase(&got); got != test.after {
			t.Errorf("%+v became %+v", test.before, got)
		}
	}
}
