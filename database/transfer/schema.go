package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/util/dbutil"
)

// table is a table of the target.
type table struct {
	name    string
	columns []column
	// selfReferences are columns with which a row refers to another one of the same table.
	selfReferences []string
}

type column struct {
	name     string
	kind     kind
	identity bool // numbered by the database
}

// Tables are the names of the tables in the current schema of a PostgreSQL database.
func Tables(ctx context.Context, target *dbutil.Database) ([]string, error) {
	return texts(ctx, target, `SELECT table_name FROM information_schema.tables WHERE table_schema=current_schema() ORDER BY table_name`)
}

// targetTables are the tables of the target, those that others refer to first.
func targetTables(ctx context.Context, target *dbutil.Database) ([]table, error) {
	names, err := Tables(ctx, target)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]table, len(names))
	for _, name := range names {
		columns, err := columnsOf(ctx, target, name)
		if err != nil {
			return nil, err
		}
		byName[name] = table{name: name, columns: columns}
	}
	references, err := referencesOf(ctx, target)
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	for _, ref := range references {
		if ref.to != ref.from {
			needs[ref.from] = append(needs[ref.from], ref.to)
			continue
		}
		own := byName[ref.from]
		own.selfReferences = append(own.selfReferences, ref.columns...)
		byName[ref.from] = own
	}
	var ordered []table
	for len(ordered) < len(names) {
		before := len(ordered)
		for _, name := range names {
			placed := func(other string) bool {
				return slices.ContainsFunc(ordered, func(t table) bool { return t.name == other })
			}
			missing := func(other string) bool { return !placed(other) }
			if !placed(name) && !slices.ContainsFunc(needs[name], missing) {
				ordered = append(ordered, byName[name])
			}
		}
		if len(ordered) == before {
			return nil, errors.New("tables refer to each other in a circle")
		}
	}
	return ordered, nil
}

func columnsOf(ctx context.Context, target *dbutil.Database, name string) ([]column, error) {
	rows, err := target.Query(ctx, `
		SELECT column_name, data_type, is_identity='YES' FROM information_schema.columns
		WHERE table_schema=current_schema() AND table_name=$1 ORDER BY ordinal_position
	`, name)
	return dbutil.ConvertRowFn[column](func(row dbutil.Scannable) (c column, err error) {
		var dataType string
		if err = row.Scan(&c.name, &dataType, &c.identity); err != nil {
			return c, err
		}
		known := false
		if c.kind, known = kinds[dataType]; !known {
			err = fmt.Errorf("%s.%s is of a type that is not known here: %s", name, c.name, dataType)
		}
		return c, err
	}).NewRowIter(rows, err).AsList()
}

// reference is a foreign key.
type reference struct {
	from, to string
	columns  []string
}

func referencesOf(ctx context.Context, target *dbutil.Database) ([]reference, error) {
	rows, err := target.Query(ctx, `
		SELECT t.relname, r.relname, a.attname
		FROM pg_constraint c
		JOIN pg_class t ON t.oid=c.conrelid
		JOIN pg_class r ON r.oid=c.confrelid
		JOIN pg_attribute a ON a.attrelid=c.conrelid AND a.attnum=ANY(c.conkey) AND NOT a.attnotnull
		WHERE c.contype='f' AND t.relnamespace=current_schema()::regnamespace
		UNION
		SELECT t.relname, r.relname, ''
		FROM pg_constraint c JOIN pg_class t ON t.oid=c.conrelid JOIN pg_class r ON r.oid=c.confrelid
		WHERE c.contype='f' AND t.relnamespace=current_schema()::regnamespace
	`)
	return dbutil.ConvertRowFn[reference](func(row dbutil.Scannable) (ref reference, err error) {
		var column string
		err = row.Scan(&ref.from, &ref.to, &column)
		if column != "" {
			ref.columns = []string{column}
		}
		return ref, err
	}).NewRowIter(rows, err).AsList()
}

func texts(ctx context.Context, db *dbutil.Database, query string, args ...any) ([]string, error) {
	rows, err := db.Query(ctx, query, args...)
	return dbutil.ConvertRowFn[string](dbutil.ScanSingleColumn[string]).NewRowIter(rows, err).AsList()
}
