package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"matrix-messenger/internal/freeport"
)

// server is one running server.
type server struct {
	dir     string
	port    int
	account *syscall.SysProcAttr
	process *exec.Cmd
	log     bytes.Buffer
}

// start makes a cluster and starts a server on it. POSTGRES_FSYNC=on makes it write through, for benchmarks.
func start(ctx context.Context) (p *server, err error) {
	if binDir() == "" {
		return nil, errNotInstalled
	}
	p = &server{}
	if p.dir, err = os.MkdirTemp("", "messenger-postgres"); err != nil {
		return nil, err
	}
	if p.account, err = p.ordinaryUser(); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(binDir(), "initdb"), "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	initdb.SysProcAttr, initdb.Dir = p.account, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if p.port, err = freeport.Find("127.0.0.1"); err != nil {
		return nil, err
	}
	return p, p.run(ctx)
}

func (p *server) data() string { return filepath.Join(p.dir, "data") }

func (p *server) run(ctx context.Context) error {
	fsync := os.Getenv("POSTGRES_FSYNC")
	if fsync == "" {
		fsync = "off"
	}
	p.process = exec.Command(filepath.Join(binDir(), "postgres"), "-D", p.data(), "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync="+fsync, "-c", "max_connections=300")
	p.process.SysProcAttr, p.process.Dir = p.account, p.dir
	p.process.Stdout, p.process.Stderr = &p.log, &p.log
	if err := p.process.Start(); err != nil {
		return err
	}
	return p.awaitReady(ctx)
}

func (p *server) uri(role, database, schema string) string {
	values := url.Values{"sslmode": {"disable"}}
	if schema != "" {
		values.Set("search_path", schema)
	}
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?%s", role, p.port, database, values.Encode())
}

// ordinaryUser makes the server run as one, which it insists on.
func (p *server) ordinaryUser() (*syscall.SysProcAttr, error) {
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

func (p *server) awaitReady(ctx context.Context) error {
	admin, err := sql.Open("postgres", p.uri("postgres", "postgres", ""))
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

func (p *server) restart(ctx context.Context) error {
	p.end()
	return p.run(ctx)
}

// end stops the server without a farewell; its next start recovers.
func (p *server) end() {
	if p.process != nil && p.process.Process != nil {
		_ = p.process.Process.Signal(syscall.SIGQUIT)
		_ = p.process.Wait()
	}
}

func (p *server) stop() {
	p.end()
	_ = os.RemoveAll(p.dir)
}

func binDir() string {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}
