package database

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
)

// maxListed is how many values one IN (…) list holds; longer lists are worked off in pieces.
const maxListed = 500

// millis is how a time is stored: Unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMillis reverses millis.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// maxReason bounds the error texts that are stored, in bytes.
const maxReason = 1000

// reason makes an error text storable: it may hold what a peer sent, and PostgreSQL takes neither invalid UTF-8 nor zero bytes.
func reason(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}

// queryAll reads all rows of a query.
func queryAll[T any](ctx context.Context, db *Database, scan dbutil.ConvertRowFn[T], query string, args ...any) ([]T, error) {
	return scan.NewRowIter(db.db.Query(ctx, query, args...)).AsList()
}

// queryOne reads the first row of a query; found is false when there is none.
func queryOne[T any](ctx context.Context, db *Database, scan dbutil.ConvertRowFn[T], query string, args ...any) (value T, found bool, err error) {
	value, err = scan(db.db.QueryRow(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return value, false, nil
	}
	return value, err == nil, err
}

// queryCount reads a single number.
func queryCount(ctx context.Context, db *Database, query string, args ...any) (count int, err error) {
	err = db.db.QueryRow(ctx, query, args...).Scan(&count)
	return count, err
}

// listOf makes the placeholders "$n,$n+1,…" for values, starting at $first, and appends the values to args.
func listOf[T any](first int, args []any, values []T) (placeholders string, allArgs []any) {
	var list strings.Builder
	for i, value := range values {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteByte('$')
		list.WriteString(strconv.Itoa(first + i))
		args = append(args, value)
	}
	return list.String(), args
}

// numbered is a row number and the key that the row was found by.
type numbered struct {
	seq  int64
	name string
}

func scanNumbered(row dbutil.Scannable) (n numbered, err error) {
	err = row.Scan(&n.seq, &n.name)
	return n, err
}
