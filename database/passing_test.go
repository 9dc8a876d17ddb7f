package database

import (
	"context"
	"fmt"
	"testing"

	"github.com/lib/pq"
	"github.com/mattn/go-sqlite3"
)

func TestOnlyWhatDoesNotLieInTheRowPasses(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"a full disk":                 {sqlite3.Error{Code: sqlite3.ErrFull}, true},
		"another writer":              {fmt.Errorf("storing: %w", sqlite3.Error{Code: sqlite3.ErrBusy}), true},
		"a broken file":               {sqlite3.Error{Code: sqlite3.ErrCorrupt}, true},
		"a server that is stopped":    {&pq.Error{Code: "57P01"}, true},
		"a serialization failure":     {&pq.Error{Code: "40001"}, true},
		"a server with a full disk":   {&pq.Error{Code: "53100"}, true},
		"a closed database":           {ErrClosed, true},
		"text that cannot be encoded": {&pq.Error{Code: "22021"}, false},
		"something else":              {context.DeadlineExceeded, false},
		"nothing":                     {nil, false},
	} {
		if got := IsPassing(test.err); got != test.want {
			t.Errorf("%s passes: %v", name, got)
		}
	}
	eachDatabase(t, func(t *testing.T, db *Database) {
		_, err := db.exec(t.Context(), `INSERT INTO messenger_probe (id, written_at) VALUES (7, 1), (7, 1)`)
		if err == nil || IsPassing(err) {
			t.Errorf("what a constraint forbids passes: %v", err)
		}
		_, err = db.exec(t.Context(), `INSERT INTO there_is_no_such_table (id) VALUES (1)`)
		if err == nil || IsPassing(err) {
			t.Errorf("a statement that makes no sense passes: %v", err)
		}
	})
}
