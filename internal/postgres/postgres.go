package postgres

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"

	_ "github.com/lib/pq" // the driver
)

// errNotInstalled means that there is no server to start.
var errNotInstalled = errors.New("no PostgreSQL server is installed")

// shared is the server of this test program.
var shared struct {
	mu       sync.Mutex
	server   *server
	err      error
	sequence int
}

// Database makes an empty database and returns its URI. The test is skipped when no server is installed (failed with REQUIRE_PEERS=1).
func Database(t testing.TB) (uri string) {
	t.Helper()
	name := next(t, "db")
	Exec(t, running(t).uri("postgres", "postgres", ""), "CREATE DATABASE "+name)
	return running(t).uri("postgres", name, "")
}

// Schema makes a schema in the database of a URI, with a role of the same name that owns it and sees nothing else, and returns the role's URI.
func Schema(t testing.TB, databaseURI string) (uri string) {
	t.Helper()
	name := next(t, "bridge")
	Exec(t, databaseURI, "CREATE ROLE "+name+" LOGIN", "CREATE SCHEMA "+name+" AUTHORIZATION "+name)
	var database string
	query(t, databaseURI, "SELECT current_database()", &database)
	return running(t).uri(name, database, name)
}

// Exec runs statements in the database of a URI.
func Exec(t testing.TB, uri string, statements ...string) {
	t.Helper()
	db, err := sql.Open("postgres", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err = db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func query(t testing.TB, uri, statement string, into any) {
	t.Helper()
	db, err := sql.Open("postgres", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err = db.QueryRowContext(context.Background(), statement).Scan(into); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Restart stops the server at once, as a crash would, and starts it again at the same address.
func Restart(t testing.TB) {
	t.Helper()
	if err := running(t).restart(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server, if one was started, and removes what it wrote.
func Stop() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		shared.server.stop()
		shared.server = nil
	}
}

func running(t testing.TB) *server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start(context.Background())
	}
	if errors.Is(shared.err, errNotInstalled) && os.Getenv("REQUIRE_PEERS") != "1" {
		t.Skip("peer: postgresql is not installed")
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

func next(t testing.TB, kind string) string {
	running(t) // skips before anything is named
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.sequence++
	return kind + strconv.Itoa(shared.sequence)
}
