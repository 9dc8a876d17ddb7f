package scenario

import (
	"strings"
	"sync"
	"testing"

	"matrix-messenger/internal/postgres"
)

// onPostgreSQL are the names of the tests whose scenarios use PostgreSQL.
var onPostgreSQL sync.Map

// OnPostgreSQL makes the scenarios of a test, and of the tests within it, use a PostgreSQL database each, where their options do not say otherwise. It is called
// before the first one is started.
func OnPostgreSQL(t *testing.T) {
	t.Helper()
	postgres.Database(t) // skips the test where there is none
	onPostgreSQL.Store(t.Name(), true)
	t.Cleanup(func() { onPostgreSQL.Delete(t.Name()) })
}

func isOnPostgreSQL(t testing.TB) bool {
	for name := t.Name(); ; {
		if _, ok := onPostgreSQL.Load(name); ok {
			return true
		}
		end := strings.LastIndexByte(name, '/')
		if end < 0 {
			return false
		}
		name = name[:end]
	}
}
