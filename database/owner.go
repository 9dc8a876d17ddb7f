package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// Owner is what a database belongs to: a value of the configuration that must not change during its life, because rooms, ghosts or sign-ins hang on it.
type Owner struct {
	Key   string // path in the configuration
	Value string
}

// NotOwnerError means that the database belongs to a bridge with another configuration.
type NotOwnerError struct {
	Owner          // what the configuration says
	Belongs string // what the database says
}

func (e *NotOwnerError) Error() string {
	return fmt.Sprintf("%s is %q, but the database belongs to the bridge with %q: put that back, or use another database", e.Key, e.Value, e.Belongs)
}

// CheckOwner makes sure that the database belongs to the bridge that is configured so; a new one is made its own. The error is a [NotOwnerError] when it does not.
func (db *Database) CheckOwner(ctx context.Context, owner []Owner) error {
	return db.Write(ctx, func(ctx context.Context) error {
		for _, want := range owner {
			found, err := want.is(ctx, db.db)
			if err != nil {
				return err
			} else if found {
				continue
			}
			if _, err = db.db.Exec(ctx, `INSERT INTO messenger_owner (key, value) VALUES ($1, $2)`, want.Key, want.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadOwner is [Database.CheckOwner] for somebody who only looks: what the database does not say yet is no error.
func ReadOwner(ctx context.Context, parent *dbutil.Database, owner []Owner) error {
	exists, err := parent.TableExists(ctx, "messenger_owner")
	if err != nil || !exists {
		return err
	}
	for _, want := range owner {
		if _, err = want.is(ctx, parent); err != nil {
			return err
		}
	}
	return nil
}

// is reports whether the database says what it belongs to; it is an error when that is something else.
func (o Owner) is(ctx context.Context, db *dbutil.Database) (found bool, err error) {
	var has string
	err = db.QueryRow(ctx, `SELECT value FROM messenger_owner WHERE key=$1`, o.Key).Scan(&has)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	} else if err == nil && has != o.Value {
		return true, &NotOwnerError{Owner: o, Belongs: has}
	}
	return err == nil, err
}
