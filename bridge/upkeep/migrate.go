package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/sql_store_upgrade"
	"maunium.net/go/mautrix/sqlstatestore"

	"matrix-messenger/bridge"
	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/database/transfer"
)

// MigrateOptions say what is moved where.
type MigrateOptions struct {
	Config string // configuration file; its database section is the PostgreSQL database to fill
	From   string // SQLite file to read
}

// Migrate moves a stopped bridge's SQLite database into an empty PostgreSQL database: all tables, in one transaction, read back and compared before it is committed. The
// SQLite file is not changed. When anything is wrong, the PostgreSQL database is as empty as before.
func Migrate(ctx context.Context, opts MigrateOptions, out io.Writer) error {
	setup, err := load(opts.Config)
	if err != nil {
		return err
	}
	settings := setup.framework.Database
	if dialect, err := dbutil.ParseDialect(settings.Type); err != nil || dialect != dbutil.Postgres {
		return &config.KeyError{Path: "database.type", Problem: fmt.Sprintf("is %q; set database.type and database.uri to the PostgreSQL database that is to be filled", settings.Type)}
	}
	from, _ := database.SQLiteFile(opts.From)
	if info, err := os.Stat(from); err != nil {
		return fmt.Errorf("the SQLite database cannot be read: %w", err)
	} else if info.IsDir() {
		return fmt.Errorf("%s is a directory, not a SQLite database", from)
	}
	oldClaim, err := database.TakeClaim(ctx, "sqlite3", sqliteURI(from))
	if err != nil {
		return inUse(err, "old")
	}
	defer func() { _ = oldClaim.Release() }()
	newClaim, err := database.TakeClaim(ctx, settings.Type, settings.URI, "bot "+setup.bot().String())
	if err != nil {
		return inUse(err, "new")
	}
	defer func() { _ = newClaim.Release() }()

	source, err := openSQLite(from)
	if err != nil {
		return fmt.Errorf("the SQLite database cannot be opened: %w", err)
	}
	defer func() { _ = source.Close() }()
	encrypted, err := checkSource(ctx, source)
	if err != nil {
		return err
	}
	target, err := setup.open()
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	if tables, err := transfer.Tables(ctx, target); err != nil {
		return fmt.Errorf("the PostgreSQL database cannot be read: %w", err)
	} else if len(tables) > 0 {
		return fmt.Errorf("the PostgreSQL database is not empty (it has the table %s); make a new one, or remove the tables if a bridge without any sign-in made them", tables[0])
	}

	var report transfer.Report
	err = target.DoTxn(ctx, nil, func(ctx context.Context) error {
		if err := makeTables(ctx, target, encrypted); err != nil {
			return err
		}
		report, err = transfer.Copy(ctx, source, target, func(table transfer.Table) {
			_, _ = fmt.Fprintf(out, "%8d  %s\n", table.Rows, table.Name)
		})
		if err != nil {
			return err
		}
		return setup.checkCopy(ctx, target)
	})
	if err != nil {
		return err
	}
	// So that the first queries are planned well; the server does it by itself later.
	if _, err = target.Exec(ctx, "ANALYZE"); err != nil {
		_, _ = fmt.Fprintf(out, "The server's statistics could not be renewed, which it will do by itself: %v\n", err)
	}
	_, _ = fmt.Fprintf(out, "Copied and compared %d rows of %d tables.\n", report.Rows, len(report.Tables))
	if report.Cleaned > 0 {
		_, _ = fmt.Fprintf(out, "%d texts lost characters that PostgreSQL cannot hold (zero bytes, invalid UTF-8).\n", report.Cleaned)
	}
	_, _ = fmt.Fprintf(out, "Start the bridge with this configuration. Keep %s until you are content; do not start a bridge on it again.\n", from)
	return nil
}

func sqliteURI(path string) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}

// checkSource makes sure that the old database is a bridge's, of exactly this program's version. encrypted tells whether it has the tables of encryption.
func checkSource(ctx context.Context, source *dbutil.Database) (encrypted bool, err error) {
	for _, group := range bridge.VersionTables(bridgedb.New("", bridgedb.MetaTypes{}, source).Database) {
		table, known := group.Name, group.Newest
		exists, err := source.TableExists(ctx, table)
		if err != nil {
			return false, fmt.Errorf("the SQLite database cannot be read: %w", err)
		}
		if table == sql_store_upgrade.VersionTableName {
			if encrypted = exists; !exists {
				continue
			}
		} else if !exists {
			return false, errors.New("the SQLite file is not the database of this bridge")
		}
		var version int
		if err = source.QueryRow(ctx, "SELECT version FROM "+table).Scan(&version); err != nil {
			return false, fmt.Errorf("the version of %s cannot be read: %w", table, err)
		}
		if version > known {
			return false, fmt.Errorf("%w (table %s)", database.ErrTooNew, table)
		} else if version < known {
			return false, fmt.Errorf("the SQLite database was last used by an older version of the bridge (table %s); start this version once with it, stop it, and migrate then", table)
		}
	}
	return encrypted, nil
}

// makeTables makes the tables as the bridge does at its first start.
func makeTables(ctx context.Context, target *dbutil.Database, encrypted bool) error {
	nop := dbutil.ZeroLogger(zerolog.Nop())
	if err := bridgedb.New("", bridgedb.MetaTypes{}, target).Upgrade(ctx); err != nil {
		return fmt.Errorf("making the framework's tables: %w", err)
	}
	if err := sqlstatestore.NewSQLStateStore(target, nop, false).Upgrade(ctx); err != nil {
		return fmt.Errorf("making the tables of rooms: %w", err)
	}
	if encrypted {
		if err := crypto.NewSQLCryptoStore(target, nop, "", "", nil).DB.Upgrade(ctx); err != nil {
			return fmt.Errorf("making the tables of encryption: %w", err)
		}
	}
	own := database.New(target, zerolog.Nop())
	defer own.Close()
	return own.Upgrade(ctx)
}

// checkCopy makes sure that the bridge will accept the copy: it belongs to the configured bridge, and the configured key opens it.
func (s *setup) checkCopy(ctx context.Context, target *dbutil.Database) error {
	own := database.New(target, zerolog.Nop())
	defer own.Close()
	if err := own.CheckOwner(ctx, bridge.Owner(s.framework)); err != nil {
		return err
	}
	sealer, err := s.sealer()
	if err != nil {
		return err
	}
	if err = own.CheckKey(ctx, sealer); err != nil {
		return fmt.Errorf("network.secret_key: %w", err)
	}
	return nil
}
