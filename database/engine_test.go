package database

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream"
)

func TestMain(m *testing.M) {
	dbutil.ForceDeadlockDetection = true
	code := m.Run()
	postgres.stop()
	os.Exit(code)
}

// eachEngine runs a test on SQLite and on PostgreSQL; open gives it fresh databases, without our tables.
func eachEngine(t *testing.T, test func(t *testing.T, open func() *dbutil.Database)) {
	t.Run("SQLite", func(t *testing.T) {
		test(t, func() *dbutil.Database { return openSQLite(t, t.TempDir(), "sqlite3-fk-wal") })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, func() *dbutil.Database { return openPostgres(t) })
	})
}

// eachDatabase is eachEngine for tests that need one database with our tables and a key.
func eachDatabase(t *testing.T, test func(t *testing.T, db *Database)) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		test(t, ready(t, open()))
	})
}

func ready(t testing.TB, parent *dbutil.Database) *Database {
	db := New(parent, zerolog.Nop())
	t.Cleanup(db.Close)
	must(t, db.Upgrade(t.Context()))
	must(t, db.CheckKey(t.Context(), testSealer(t, "correct horse battery")))
	return db
}

func testSealer(t testing.TB, current string, previous ...string) *Sealer {
	sealer, err := NewSealer(current, previous)
	must(t, err)
	return sealer
}

func openSQLite(t testing.TB, dir, driver string) *dbutil.Database {
	uri := "file:" + filepath.Join(dir, "bridge.db") + "?_txlock=immediate"
	parent, err := dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: driver, URI: uri, MaxOpenConns: 5, MaxIdleConns: 1}}, nil)
	must(t, err)
	t.Cleanup(func() { _ = parent.Close() })
	return parent
}

func openPostgres(t testing.TB) *dbutil.Database {
	uri, err := postgres.newDatabase(t.Context())
	if errors.Is(err, errNotInstalled) && os.Getenv("REQUIRE_PEERS") != "1" {
		t.Skip("peer: postgresql not installed")
	}
	must(t, err)
	parent, err := dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{Type: "postgres", URI: uri, MaxOpenConns: 5, MaxIdleConns: 2}}, nil)
	must(t, err)
	t.Cleanup(func() { _ = parent.Close() })
	return parent
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equalList[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

var errNotInstalled = errors.New("no PostgreSQL server is installed")

// postgresServer is one server for all tests of the package, started when the first test needs it.
type postgresServer struct {
	start    sync.Once
	err      error
	dir      string
	port     int
	process  *exec.Cmd
	log      bytes.Buffer
	sequence int
	mu       sync.Mutex
}

var postgres postgresServer

func (p *postgresServer) newDatabase(ctx context.Context) (uri string, err error) {
	p.start.Do(func() { p.err = p.run(ctx) })
	if p.err != nil {
		return "", p.err
	}
	p.mu.Lock()
	p.sequence++
	name := "test" + strconv.Itoa(p.sequence)
	p.mu.Unlock()
	admin, err := sql.Open("postgres", p.uri("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = admin.Close() }()
	_, err = admin.ExecContext(ctx, "CREATE DATABASE "+name)
	return p.uri(name), err
}

func (p *postgresServer) uri(name string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.port, name)
}

func (p *postgresServer) run(ctx context.Context) error {
	bin := postgresBin()
	if bin == "" {
		return errNotInstalled
	}
	var err error
	if p.dir, err = os.MkdirTemp("", "messenger-postgres"); err != nil {
		return err
	}
	attributes, err := p.account()
	if err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	initdb.SysProcAttr, initdb.Dir = attributes, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if p.port, err = freePort(); err != nil {
		return err
	}
	p.process = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync="+os.Getenv("POSTGRES_FSYNC"))
	if os.Getenv("POSTGRES_FSYNC") == "" {
		p.process.Args[len(p.process.Args)-1] = "fsync=off"
	}
	p.process.SysProcAttr, p.process.Dir = attributes, p.dir
	p.process.Stdout, p.process.Stderr = &p.log, &p.log
	if err = p.process.Start(); err != nil {
		return err
	}
	return p.awaitReady(ctx)
}

// account makes the server run as an ordinary user, which it insists on.
func (p *postgresServer) account() (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return attributes, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return nil, err
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, os.Chown(p.dir, uid, gid)
}

func (p *postgresServer) awaitReady(ctx context.Context) error {
	admin, err := sql.Open("postgres", p.uri("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		if err = admin.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not get ready: %w", err)
		case <-time.After(20 * time.Millisecond): // a server that is starting refuses connections, there is no event to wait for
		}
	}
}

func (p *postgresServer) stop() {
	if p.process != nil && p.process.Process != nil {
		_ = p.process.Process.Signal(syscall.SIGQUIT)
		_ = p.process.Wait()
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

func postgresBin() string {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
