package scenario

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	_ "github.com/lib/pq" // the two engines' drivers
	_ "github.com/mattn/go-sqlite3"
)

// Tables reads every table of the bridge's database, beside the bridge: by name, each row as one text of its values. Bytes are shown as they are.
func (s *Scenario) Tables() map[string][]string {
	s.t.Helper()
	kind, uri := "sqlite3", "file:"+s.file("bridge.db")+"?_query_only=on&_busy_timeout=10000"
	names := `SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'`
	if s.opts.Database != "" {
		kind, uri = "postgres", s.opts.Database
		names = `SELECT table_name FROM information_schema.tables WHERE table_schema=current_schema()`
	}
	db, err := sql.Open(kind, uri)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	tables := map[string][]string{}
	for _, name := range s.rows(db, names) {
		tables[name] = s.rows(db, `SELECT * FROM "`+name+`"`)
	}
	if len(tables) < 20 {
		s.t.Fatalf("the database has only %d tables", len(tables))
	}
	return tables
}

// Execute runs a statement in the bridge's SQLite database, beside the bridge.
func (s *Scenario) Execute(statement string, args ...any) {
	s.t.Helper()
	if s.opts.Database != "" {
		s.t.Fatal("this story is for SQLite")
	}
	db, err := sql.Open("sqlite3", "file:"+s.file("bridge.db")+"?_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec(statement, args...); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// TableHas waits until a table of the bridge's database is as it should be.
func (s *Scenario) TableHas(table string, is func(rows []string) bool) {
	s.t.Helper()
	s.within("what stands in "+table, func(ctx context.Context) error {
		for !is(s.Tables()[table]) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond): // a database tells nobody of a change
			}
		}
		return nil
	})
}

// BridgeKnowsWhatTheRoomsHave waits until nothing that the service sent waits to be shown, or to be noted as shown.
func (s *Scenario) BridgeKnowsWhatTheRoomsHave() {
	s.t.Helper()
	s.TableHas("messenger_inbox", func(rows []string) bool { return len(rows) == 0 })
}

func (s *Scenario) rows(db *sql.DB, query string) (texts []string) {
	s.t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		s.t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err = rows.Scan(into...); err != nil {
			s.t.Fatal(err)
		}
		parts := make([]string, len(values))
		for i, value := range values {
			if raw, ok := value.([]byte); ok {
				value = string(raw)
			}
			parts[i] = fmt.Sprint(value)
		}
		texts = append(texts, strings.Join(parts, " | "))
	}
	if err = rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return texts
}
