package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"matrix-messenger/bridge"
	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
)

// database opens the database and looks whether this program can work with it. A SQLite file that is not there yet is not made.
func (d *doctor) database(ctx context.Context) {
	const check = "database"
	cfg := d.setup.framework.Database
	if file, ok := database.SQLiteFile(cfg.URI); ok && strings.HasPrefix(cfg.Type, "sqlite") {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			d.newFile(check, file)
			return
		}
	}
	cfg.MaxOpenConns, cfg.MaxIdleConns = 1, 1
	db, err := dbutil.NewFromConfig("matrix-messenger", cfg, dbutil.ZeroLogger(zerolog.Nop()))
	if err == nil {
		defer func() { _ = db.Close() }()
		err = db.RawDB.PingContext(ctx)
	}
	if err != nil {
		d.fail(check, fmt.Sprintf("The database cannot be opened: %v.", err), "Check database.type and database.uri, and that the file or server can be reached with these rights.")
		return
	}
	version, err := database.Version(ctx, db)
	switch {
	case err != nil:
		d.fail(check, fmt.Sprintf("The database cannot be read: %v.", err), "Check the database server or file.")
	case version == 0:
		d.ok(check, "The database can be opened; the bridge will make its tables at its first start.")
	case version > database.Latest:
		d.fail(check, "The database was used by a newer version of the bridge.", "Install that version, or restore a backup from before the upgrade.")
	default:
		d.owner(ctx, db)
	}
}

// owner looks whether the database is that of the bridge that is configured.
func (d *doctor) owner(ctx context.Context, db *dbutil.Database) {
	const check = "database"
	err := database.ReadOwner(ctx, db, bridge.Owner(d.setup.framework))
	var other *database.NotOwnerError
	switch {
	case errors.As(err, &other):
		d.fail(check, config.Sentence(err), "Correct "+other.Key+", or give this bridge a database of its own.")
	case err != nil:
		d.fail(check, fmt.Sprintf("The database cannot be read: %v.", err), "Check the database server or file.")
	default:
		d.ok(check, "The database can be opened, and this program can work with it.")
	}
}

func (d *doctor) newFile(check, file string) {
	probe, err := os.CreateTemp(filepath.Dir(file), ".doctor-*")
	if err != nil {
		d.fail(check, fmt.Sprintf("The database %s is not there yet and cannot be made: %v.", file, err), "Make the directory, and let the bridge's user write there.")
		return
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	d.ok(check, "The database %s will be made at the first start.", file)
}
