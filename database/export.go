package database

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// UserExport is everything that is stored of a Matrix user, without secrets.
type UserExport struct {
	UserID     string           `json:"user_id"`
	ExportedAt time.Time        `json:"exported_at"`
	Explained  string           `json:"explained"`
	Framework  map[string][]Row `json:"framework"` // the framework's rows, by what they are
	Logins     []LoginExport    `json:"logins"`
}

// LoginExport is everything that our own tables hold of a login, without secrets.
type LoginExport struct {
	LoginID string           `json:"login_id"`
	Tables  map[string][]Row `json:"tables"` // by name, without the prefix messenger_
}

// Row is a row by its columns. Times are written out, stored JSON is shown as such, and what is empty in the database is left out.
type Row map[string]any

// exportExplained stands in the file, for whoever reads it.
const exportExplained = "What the bridge has stored about you. 'logins' is about each account you are signed in to: contacts, presence, contact requests, messages that wait, and, " +
	"as fingerprints without texts, which messages it has seen. 'framework' is what it keeps about your rooms: which chat is in which room, and which message became which event. " +
	"Message texts are kept only while a message waits, and of messages that could not be shown in Matrix, for 30 days or until you log out. Left out are secrets, access tokens and keys, " +
	"and the list of Matrix events that the bridge has received: their IDs and rooms, for 30 days, with the sealed content of those that wait or could not be handled."

// frameworkRows are the queries for the framework's rows of a user. They stand for the bridge ID and the user.
var frameworkRows = map[string]string{
	"user":           `SELECT * FROM "user" WHERE bridge_id=$1 AND mxid=$2`,
	"user_login":     `SELECT * FROM user_login WHERE bridge_id=$1 AND user_mxid=$2`,
	"user_portal":    `SELECT * FROM user_portal WHERE bridge_id=$1 AND user_mxid=$2`,
	"portal":         `SELECT * FROM portal WHERE bridge_id=$1 AND receiver IN (SELECT id FROM user_login WHERE bridge_id=$1 AND user_mxid=$2)`,
	"message":        `SELECT * FROM message WHERE bridge_id=$1 AND room_receiver IN (SELECT id FROM user_login WHERE bridge_id=$1 AND user_mxid=$2) ORDER BY timestamp`,
	"reaction":       `SELECT * FROM reaction WHERE bridge_id=$1 AND room_receiver IN (SELECT id FROM user_login WHERE bridge_id=$1 AND user_mxid=$2) ORDER BY timestamp`,
	"ghost":          `SELECT * FROM ghost WHERE bridge_id=$1 AND id IN (SELECT other_user_id FROM portal WHERE bridge_id=$1 AND receiver IN (SELECT id FROM user_login WHERE bridge_id=$1 AND user_mxid=$2))`,
	"room_member":    `SELECT * FROM mx_user_profile WHERE $1=$1 AND user_id=$2`,
	"matrix_account": `SELECT * FROM mx_registrations WHERE $1=$1 AND user_id=$2`,
}

// secretColumns never leave the database.
var secretColumns = []string{"access_token", "refresh_token", "send_txn_id"}

// ExportUser collects a [UserExport]. The framework's tables have to exist.
func (db *Database) ExportUser(ctx context.Context, bridgeID, user string) (export UserExport, err error) {
	export = UserExport{UserID: user, ExportedAt: time.Now().UTC(), Explained: exportExplained, Framework: map[string][]Row{}}
	for name, query := range frameworkRows {
		if export.Framework[name], err = db.exportRows(ctx, query, bridgeID, user); err != nil {
			return export, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	for _, login := range export.Framework["user_login"] {
		id, _ := login["id"].(string)
		one, err := db.ExportLogin(ctx, id)
		if err != nil {
			return export, err
		}
		export.Logins = append(export.Logins, one)
	}
	return export, nil
}

// exportRows reads rows as they are, but for secrets and for what can be shown better.
func (db *Database) exportRows(ctx context.Context, query string, args ...any) ([]Row, error) {
	rows, err := db.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	found := []Row{}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err = rows.Scan(into...); err != nil {
			return nil, err
		}
		row := Row{}
		for i, column := range columns {
			if !slices.Contains(secretColumns, column) && values[i] != nil {
				row[column] = readable(column, values[i])
			}
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

// readable shows stored JSON as JSON, bytes as text where they are, and times as times: ours are in milliseconds, the framework's in nanoseconds.
func readable(column string, value any) any {
	const millisFrom, nanosFrom = 1e11, 1e17
	switch v := value.(type) {
	case int64:
		isTime := strings.HasSuffix(column, "_at") || strings.HasSuffix(column, "stamp")
		switch {
		case isTime && v >= nanosFrom:
			return time.Unix(0, v).UTC()
		case isTime && v >= millisFrom:
			return time.UnixMilli(v).UTC()
		}
	case []byte:
		if utf8.Valid(v) {
			return readable(column, string(v))
		}
	case string:
		if (strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[")) && json.Valid([]byte(v)) {
			return json.RawMessage(v)
		}
	}
	return value
}

// ExportLogin collects a [LoginExport].
func (db *Database) ExportLogin(ctx context.Context, loginID string) (LoginExport, error) {
	export := LoginExport{LoginID: loginID, Tables: map[string][]Row{}}
	for _, table := range loginTables {
		rows, err := db.exportRows(ctx, `SELECT * FROM `+table+` WHERE login_id=$1`, loginID)
		if err != nil {
			return export, fmt.Errorf("reading %s: %w", table, err)
		}
		export.Tables[strings.TrimPrefix(table, "messenger_")] = rows
	}
	return export, nil
}

// KnowsUser tells whether the framework has anything of a Matrix user.
func (db *Database) KnowsUser(ctx context.Context, bridgeID, user string) (bool, error) {
	n, err := queryCount(ctx, db, `SELECT COUNT(*) FROM "user" WHERE bridge_id=$1 AND mxid=$2`, bridgeID, user)
	return n > 0, err
}
