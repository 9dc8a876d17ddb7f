package database

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

//go:embed upgrades/*.sql
var upgradeFiles embed.FS

// VersionTable holds the version of the tables.
const VersionTable = "messenger_version"

// ErrTooNew is in the error of [Database.Upgrade] when a newer version of the program has used the database.
var ErrTooNew = errors.New("the database was used by a newer version of matrix-messenger; install that version, or restore a backup from before the upgrade")

// Database is the bridge's own tables. All its methods may be called from any goroutine.
type Database struct {
	Credential     *CredentialStore
	MatrixInbox    *MatrixInboxStore
	Outbox         *OutboxStore
	MessengerInbox *MessengerInboxStore
	ChatLog        *ChatLogStore
	Contact        *ContactStore
	Presence       *PresenceStore
	Request        *RequestStore
	Held           *HeldStore
	Setting        *SettingStore
	ArchiveRead    *ArchiveReadStore
	Aside          *AsideStore
	Departure      *DepartureStore

	db        *dbutil.Database
	log       zerolog.Logger
	committer *Committer
	keys      atomic.Pointer[keys]
}

// New attaches the bridge's tables to bridgev2's database. It does no input or output; call [Database.Upgrade] before use and
// [Database.Close] at the end.
func New(parent *dbutil.Database, log zerolog.Logger) *Database {
	log = log.With().Str("db_section", "messenger").Logger()
	table := dbutil.BuildUpgradeTable().WithFSPath(upgradeFiles, "upgrades").Finish()
	child := parent.Child(VersionTable, table, dbutil.ZeroLogger(log))
	db := &Database{db: child, log: log, committer: NewCommitter(child, log)}
	db.Credential = &CredentialStore{db}
	db.MatrixInbox = newMatrixInboxStore(db)
	db.Outbox = newOutboxStore(db)
	db.MessengerInbox = newMessengerInboxStore(db)
	db.ChatLog = &ChatLogStore{db}
	db.Contact = &ContactStore{db}
	db.Presence = &PresenceStore{db}
	db.Request = &RequestStore{db}
	db.Held = &HeldStore{db}
	db.Setting = &SettingStore{db}
	db.ArchiveRead = &ArchiveReadStore{db}
	db.Aside = &AsideStore{db}
	db.Departure = &DepartureStore{db}
	return db
}

// Upgrade creates the tables or brings them up to date. The error contains [ErrTooNew] when the database is newer than this
// program; then nothing was changed.
func (db *Database) Upgrade(ctx context.Context) error {
	err := db.db.Upgrade(ctx)
	if errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
		return fmt.Errorf("%w (%w)", ErrTooNew, err)
	} else if err != nil {
		return fmt.Errorf("preparing the bridge's tables failed: %w", err)
	}
	return nil
}

// Close commits what was already handed in and ends the group commit; later writes fail with [ErrClosed]. It does not close
// the connections, which belong to bridgev2.
func (db *Database) Close() {
	db.committer.Close()
}

// Write runs fn in one transaction, shared with other writers of the same moment, and returns after the commit. Inside fn all
// methods of the Database take part in the transaction if they are given fn's context (and would wait for themselves with any
// other). fn may be run again from the start when the shared transaction fails: it sets its results anew each time and has
// no other effect. When ctx already carries a transaction, fn runs in that one, and it is the owner of that one who commits.
func (db *Database) Write(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, inTransaction := db.db.Execable(ctx).(dbutil.Transaction); inTransaction {
		return fn(ctx)
	}
	return db.committer.Do(ctx, fn)
}

// exec is Write for a single statement. It returns the number of rows concerned.
func (db *Database) exec(ctx context.Context, query string, args ...any) (count int64, err error) {
	err = db.Write(ctx, func(ctx context.Context) error {
		result, err := db.db.Exec(ctx, query, args...)
		if err != nil {
			return err
		}
		count, err = result.RowsAffected()
		return err
	})
	return count, err
}
