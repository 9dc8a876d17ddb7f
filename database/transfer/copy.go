package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mau.fi/util/dbutil"
)

// Report is what was copied.
type Report struct {
	Tables  []Table
	Rows    int
	Cleaned int // values that lost bytes which PostgreSQL does not hold
}

// Table is a table that was copied.
type Table struct {
	Name string
	Rows int
}

// ErrDiffers is in the error of [Copy] when the target, read back, does not hold what the source does.
var ErrDiffers = errors.New("the copy differs from the original")

// Copy copies all tables of source into target, whose tables exist and are empty but for what was put in when they were made, which is replaced. Both contexts of transactions
// are the caller's: ctx carries the target's, and the source must not change meanwhile. done is told of each table.
func Copy(ctx context.Context, source, target *dbutil.Database, done func(Table)) (Report, error) {
	var report Report
	tables, err := targetTables(ctx, target)
	if err != nil {
		return report, fmt.Errorf("the new database's tables cannot be read: %w", err)
	}
	if err = matchTables(ctx, source, tables); err != nil {
		return report, err
	}
	for _, table := range slices.Backward(tables) {
		if _, err = target.Exec(ctx, `DELETE FROM `+quoted(table.name)); err != nil {
			return report, fmt.Errorf("%s cannot be emptied: %w", table.name, err)
		}
	}
	sums := make([]checksum, len(tables))
	for i, table := range tables {
		if sums[i], err = table.copy(ctx, source, target, &report.Cleaned); err != nil {
			return report, fmt.Errorf("copying %s: %w", table.name, err)
		}
		if err = table.continueSequences(ctx, source, target); err != nil {
			return report, fmt.Errorf("setting the counter of %s: %w", table.name, err)
		}
		copied := Table{Name: table.name, Rows: sums[i].rows}
		report.Tables = append(report.Tables, copied)
		report.Rows += copied.Rows
		if done != nil {
			done(copied)
		}
	}
	for i, table := range tables { // all of them once more: a later table could have changed an earlier one
		sum, err := table.sum(ctx, target)
		if err != nil {
			return report, fmt.Errorf("reading back %s: %w", table.name, err)
		} else if sum != sums[i] {
			return report, fmt.Errorf("%w: %s (%d rows, and %d of them in the copy)", ErrDiffers, table.name, sums[i].rows, sum.rows)
		}
	}
	return report, nil
}

// matchTables makes sure that both sides have the same tables with the same columns.
func matchTables(ctx context.Context, source *dbutil.Database, tables []table) error {
	names, err := texts(ctx, source, `
		SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE '!_litestream!_%' ESCAPE '!' ORDER BY name
	`)
	if err != nil {
		return fmt.Errorf("the old database's tables cannot be read: %w", err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(tables, func(t table) bool { return t.name == name }) {
			return fmt.Errorf("the old database has a table that is none of the bridge's: %s", name)
		}
	}
	for _, table := range tables {
		if !slices.Contains(names, table.name) {
			return fmt.Errorf("the old database lacks the table %s", table.name)
		}
		have, err := texts(ctx, source, `SELECT name FROM pragma_table_info($1) ORDER BY name`, table.name)
		if err != nil {
			return err
		}
		want := make([]string, len(table.columns))
		for i, column := range table.columns {
			want[i] = column.name
		}
		slices.Sort(want)
		if !slices.Equal(have, want) {
			return fmt.Errorf("%s has other columns in the old database (%s) than in the new one (%s)", table.name, strings.Join(have, ", "), strings.Join(want, ", "))
		}
	}
	return nil
}

const (
	maxParameters = 60_000 // PostgreSQL takes 65,535 in one statement
	maxRows       = 500    // in one statement
	maxBytes      = 4 << 20
)

// copy reads a table and writes it in pieces.
func (t table) copy(ctx context.Context, source, target *dbutil.Database, cleaned *int) (sum checksum, err error) {
	rows, err := source.Query(ctx, t.selectAll()+t.order())
	if err != nil {
		return sum, err
	}
	defer func() { _ = rows.Close() }()
	perRow := len(t.columns)
	most := max(1, min(maxRows, maxParameters/perRow))
	pending, size := make([]any, 0, most*perRow), 0
	flush := func() error {
		if len(pending) == 0 {
			return nil
		}
		_, err := target.Exec(ctx, t.insert(len(pending)/perRow), pending...)
		pending, size = pending[:0], 0
		return err
	}
	for rows.Next() {
		raw, err := scan(rows, perRow)
		if err != nil {
			return sum, err
		}
		values := make([]any, perRow)
		for i, column := range t.columns {
			var changed bool
			if values[i], changed, err = column.kind.convert(raw[i]); err != nil {
				return sum, fmt.Errorf("column %s: %w", column.name, err)
			} else if changed {
				*cleaned++
			}
			size += sizeOf(values[i])
		}
		if err = sum.add(t.columns, values); err != nil {
			return sum, err
		}
		pending = append(pending, values...)
		if len(pending) >= most*perRow || size >= maxBytes {
			if err = flush(); err != nil {
				return sum, err
			}
		}
	}
	if err = rows.Err(); err != nil {
		return sum, err
	}
	return sum, flush()
}

// sum reads a copied table back.
func (t table) sum(ctx context.Context, target *dbutil.Database) (sum checksum, err error) {
	rows, err := target.Query(ctx, t.selectAll())
	if err != nil {
		return sum, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		raw, err := scan(rows, len(t.columns))
		if err != nil {
			return sum, err
		}
		for i, column := range t.columns {
			if raw[i], _, err = column.kind.convert(raw[i]); err != nil {
				return sum, fmt.Errorf("column %s: %w", column.name, err)
			}
		}
		if err = sum.add(t.columns, raw); err != nil {
			return sum, err
		}
	}
	return sum, rows.Err()
}

// continueSequences makes the numbers that the target gives go on after every one that the source ever gave: keys made of them must not come again.
func (t table) continueSequences(ctx context.Context, source, target *dbutil.Database) error {
	for _, column := range t.columns {
		if !column.identity {
			continue
		}
		var last int64
		if err := source.QueryRow(ctx, `SELECT COALESCE(MAX(`+quoted(column.name)+`), 0) FROM `+quoted(t.name)).Scan(&last); err != nil {
			return err
		}
		counted, err := source.TableExists(ctx, "sqlite_sequence")
		if err != nil {
			return err
		}
		if counted {
			var given int64
			if err = source.QueryRow(ctx, `SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name=$1`, t.name).Scan(&given); err != nil {
				return err
			}
			last = max(last, given)
		}
		if last == 0 {
			continue
		}
		if _, err = target.Exec(ctx, `SELECT setval(pg_get_serial_sequence($1, $2), $3)`, quoted(t.name), column.name, last); err != nil {
			return err
		}
	}
	return nil
}

func scan(rows dbutil.Rows, n int) ([]any, error) {
	values, into := make([]any, n), make([]any, n)
	for i := range values {
		into[i] = &values[i]
	}
	return values, rows.Scan(into...)
}

func (t table) selectAll() string {
	names := make([]string, len(t.columns))
	for i, column := range t.columns {
		names[i] = quoted(column.name)
	}
	return `SELECT ` + strings.Join(names, ", ") + ` FROM ` + quoted(t.name)
}

// order puts rows without a reference to their own table before those with one.
func (t table) order() string {
	if len(t.selfReferences) == 0 {
		return ""
	}
	terms := make([]string, len(t.selfReferences))
	for i, column := range t.selfReferences {
		terms[i] = `(` + quoted(column) + ` IS NOT NULL)`
	}
	return ` ORDER BY ` + strings.Join(terms, ", ")
}

func (t table) insert(rows int) string {
	var query strings.Builder
	query.WriteString(`INSERT INTO ` + quoted(t.name) + ` (`)
	for i, column := range t.columns {
		if i > 0 {
			query.WriteString(", ")
		}
		query.WriteString(quoted(column.name))
	}
	query.WriteString(`) VALUES `)
	for n := range rows * len(t.columns) {
		switch {
		case n%len(t.columns) != 0:
			query.WriteByte(',')
		case n == 0:
			query.WriteByte('(')
		default:
			query.WriteString("),(")
		}
		query.WriteString("$" + strconv.Itoa(n+1))
	}
	query.WriteByte(')')
	return query.String()
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
