package database

import (
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// Latest is the version of the tables that this program makes.
const Latest = 1

// Version reads which version the bridge's tables have in a database, without changing it; 0 when there are none yet.
func Version(ctx context.Context, parent *dbutil.Database) (version int, err error) {
	exists, err := parent.TableExists(ctx, versionTable)
	if err != nil || !exists {
		return 0, err
	}
	if err = parent.QueryRow(ctx, "SELECT version FROM "+versionTable).Scan(&version); err != nil {
		return 0, fmt.Errorf("the version of the bridge's tables cannot be read: %w", err)
	}
	return version, nil
}
