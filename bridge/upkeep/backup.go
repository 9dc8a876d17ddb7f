package upkeep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
)

// Backup writes a copy of the SQLite database to a new file. The bridge may go on running: the copy is the database as it was at one moment.
func Backup(ctx context.Context, configFile, to string, out io.Writer) error {
	setup, err := load(configFile)
	if err != nil {
		return err
	}
	settings := setup.framework.Database
	from, ok := database.SQLiteFile(settings.URI)
	if !strings.HasPrefix(settings.Type, "sqlite") || !ok {
		return &config.KeyError{Path: "database.type", Problem: fmt.Sprintf("is %q, and only SQLite files are copied here; for PostgreSQL use pg_dump", settings.Type)}
	}
	if _, err = os.Stat(from); err != nil {
		return fmt.Errorf("the database cannot be read: %w", err)
	}
	// It holds messages on their way: nobody else may read it, whatever the umask.
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("the copy cannot be made: %w", err)
	}
	if err = file.Close(); err == nil {
		err = copySQLite(ctx, from, to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the copy cannot be made: %w", err), os.Remove(to))
	}
	_, _ = fmt.Fprintf(out, "Copied to %s. Keep the configuration file, which has the key to it, and the registration apart from it.\n", to)
	return nil
}

func copySQLite(ctx context.Context, from, to string) error {
	// SQLite refuses this on a connection for reading only, though it does not change the source.
	source, err := sql.Open("sqlite3", sqliteURI(from)+"?_busy_timeout=10000")
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	if _, err = source.ExecContext(ctx, `VACUUM INTO ?`, to); err != nil {
		return err
	}
	copied, err := openSQLite(to)
	if err != nil {
		return err
	}
	defer func() { _ = copied.Close() }()
	var verdict string
	if err = copied.QueryRow(ctx, `PRAGMA integrity_check`).Scan(&verdict); err != nil {
		return err
	} else if verdict != "ok" {
		return fmt.Errorf("the copy is damaged: %s", verdict)
	}
	return nil
}
