package database

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// claimSpace keeps our advisory locks apart from those of other programs in the same database.
	claimSpace = 0x4D657373
	// claimCheck is how often the connection that holds the claim is asked whether it still lives.
	claimCheck = 10 * time.Second
	// claimTimeout bounds each conversation with the server about the claim.
	claimTimeout = 10 * time.Second
	// claimName stands at the beginning of the connection's application_name, followed by a part that differs for each process.
	claimName = "matrix-messenger claim "
)

// ErrNoSchema means that the search_path of the connection names no schema that exists.
var ErrNoSchema = errors.New("the schema that database.uri names (search_path) does not exist; create it, owned by the bridge's role")

// ErrMixedSchemas means that the role sees tables of another bridge.
var ErrMixedSchemas = errors.New("the role of database.uri also sees the tables of another bridge in this database, and would take them for its own; give each bridge a role that can see its own schema only, or a database of its own")

// postgresClaim holds advisory locks on a connection of its own.
type postgresClaim struct {
	db     *sql.DB
	conn   *sql.Conn // used by watch alone, once it runs
	name   string    // application_name of this process
	names  []string
	gone   chan struct{}
	cancel context.CancelFunc
	watch  sync.WaitGroup
}

func claimPostgres(ctx context.Context, kind, uri string, names []string) (holder, error) {
	db, err := sql.Open(kind, uri)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2) // the one that holds the claim, and one to ask about it
	db.SetMaxIdleConns(0) // a connection that is let go must not keep its locks
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	c := &postgresClaim{db: db, name: claimName + hex.EncodeToString(random), names: names, gone: make(chan struct{})}
	if err = c.take(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	c.watch.Go(func() { c.keep(watching) })
	return c, nil
}

// take opens a connection and takes all locks on it.
func (c *postgresClaim) take(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	// The server has to notice soon when this machine is gone without a word, or its successor would wait for hours.
	if _, err = conn.ExecContext(ctx, `SELECT set_config('application_name', $1, false), set_config('tcp_keepalives_idle', '10', false),
		set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)`, c.name); err != nil {
		return err
	}
	var schema sql.NullString
	if err = conn.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return err
	} else if !schema.Valid {
		return ErrNoSchema
	}
	if err = onlyOurTables(ctx, conn, schema.String); err != nil {
		return err
	}
	for _, name := range append([]string{"schema " + schema.String}, c.names...) {
		var taken bool
		if err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1, hashtext($2))`, claimSpace, name).Scan(&taken); err != nil {
			return err
		} else if !taken {
			return fmt.Errorf("%w (%s is held by %s)", ErrInUse, name, c.holderOf(ctx, conn, name).describe())
		}
	}
	c.conn = conn
	return nil
}

// onlyOurTables makes sure that the framework, which looks for its tables in every schema it can see, finds none but ours.
func onlyOurTables(ctx context.Context, conn *sql.Conn, schema string) error {
	var other string
	err := conn.QueryRowContext(ctx, `
		SELECT table_schema FROM information_schema.tables WHERE table_name=$1 AND table_schema<>$2 ORDER BY 1 LIMIT 1
	`, VersionTable, schema).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return fmt.Errorf("%w (they are in the schema %q)", ErrMixedSchemas, other)
}

// otherHolder is the session that has a lock.
type otherHolder struct{ name, address, since sql.NullString }

func (h otherHolder) describe() string {
	switch {
	case !h.since.Valid:
		return "another session"
	case h.address.String == "":
		return "a session of this machine since " + h.since.String
	}
	return "a session from " + h.address.String + " since " + h.since.String
}

func (*postgresClaim) holderOf(ctx context.Context, conn *sql.Conn, name string) (h otherHolder) {
	// The second half of the lock's key is shown as an unsigned number.
	_ = conn.QueryRowContext(ctx, `
		SELECT a.application_name, host(a.client_addr), to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
		FROM pg_locks l JOIN pg_stat_activity a ON a.pid=l.pid
		WHERE l.locktype='advisory' AND l.granted AND l.database=(SELECT oid FROM pg_database WHERE datname=current_database())
		AND l.classid=$1 AND l.objid=(hashtext($2)::bigint & 4294967295)::oid
	`, claimSpace, name).Scan(&h.name, &h.address, &h.since) // for the message only
	return h
}

// keep asks the connection from time to time, and takes the locks again when it was lost.
func (c *postgresClaim) keep(ctx context.Context) {
	for pause(ctx, claimCheck) {
		if c.conn != nil && c.lives(ctx) {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		c.drop()
		if err := c.take(ctx); errors.Is(err, ErrInUse) && !c.isOurs(ctx) {
			close(c.gone)
			return
		}
	}
}

func (c *postgresClaim) lives(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	var one int
	return c.conn.QueryRowContext(ctx, `SELECT 1`).Scan(&one) == nil
}

func (c *postgresClaim) drop() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// isOurs tells whether what still has a lock is this process' own lost connection, which the server has not noticed yet. Of other roles' connections the server shows little more than the name.
func (c *postgresClaim) isOurs(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return true // nobody can tell at the moment; the next round will
	}
	defer func() { _ = conn.Close() }()
	var schema string
	if conn.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema) != nil {
		return true
	}
	for _, name := range append([]string{"schema " + schema}, c.names...) {
		holder := c.holderOf(ctx, conn, name)
		if holder.name.Valid && holder.name.String != c.name && strings.HasPrefix(holder.name.String, claimName) {
			return false
		}
	}
	return true
}

func (c *postgresClaim) lost() <-chan struct{} { return c.gone }

func (c *postgresClaim) release() error {
	c.cancel()
	c.watch.Wait()
	c.drop()
	return c.db.Close()
}
