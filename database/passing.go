package database

import (
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/lib/pq"
	"github.com/mattn/go-sqlite3"
	"go.mau.fi/util/dbutil"
)

// IsPassing tells errors of the database that do not lie in what was asked of it: it cannot be reached, is busy, full, read
// only, broken, or stopping. What it says of the question itself, such as that a constraint does not allow a row, comes again
// with every try, and is not among them.
func IsPassing(err error) bool {
	for _, known := range []error{ErrClosed, dbutil.ErrTxnBegin, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone} {
		if errors.Is(err, known) {
			return true
		}
	}
	var lite sqlite3.Error
	if errors.As(err, &lite) {
		switch lite.Code {
		case sqlite3.ErrError, sqlite3.ErrConstraint, sqlite3.ErrMismatch, sqlite3.ErrTooBig, sqlite3.ErrRange, sqlite3.ErrMisuse:
			return false
		}
		return true
	}
	var postgres *pq.Error
	if errors.As(err, &postgres) {
		switch postgres.Code.Class() {
		case "21", "22", "23", "42": // cardinality, data, integrity constraint, syntax or access rule
			return false
		}
		return true
	}
	return false
}
