package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// Latest is the version of the tables that this program makes.
const Latest = 1

// Version reads which version the bridge's tables have in a database, without changing it; 0 when there are none yet.
func Version(ctx context.Context, parent *dbutil.Database) (version int, err error) {
	exists, err := parent.TableExists(ctx, VersionTable)
	if err != nil || !exists {
		return 0, err
	}
	if err = parent.QueryRow(ctx, "SELECT version FROM "+VersionTable).Scan(&version); err != nil {
		return 0, fmt.Errorf("the version of the bridge's tables cannot be read: %w", err)
	}
	return version, nil
}

// NewerThan tells whether the tables of a version table were made by a program that this one cannot follow: they are compatible down to a version that is above
// known, the newest this program has. It changes nothing; false when there are no such tables yet.
func NewerThan(ctx context.Context, parent *dbutil.Database, table string, known int) (bool, error) {
	exists, err := parent.ColumnExists(ctx, table, "compat")
	if err != nil || !exists {
		return false, err
	}
	var version int
	var compat sql.NullInt64
	err = parent.QueryRow(ctx, "SELECT version, compat FROM "+table).Scan(&version, &compat)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("the version of the tables of %s cannot be read: %w", table, err)
	}
	if compat.Int64 != 0 {
		version = int(compat.Int64)
	}
	return version > known, nil
}
