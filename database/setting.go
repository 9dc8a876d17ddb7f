package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// Setting is what a login keeps between runs beside its credential.
type Setting struct {
	LoginID      string
	PresenceMode string // the bridge's own words; empty: not chosen
	StatusText   string
	ClockOffset  time.Duration // the service's clock minus ours, milliseconds
	ListedAt     time.Time     // when the chats of the archive got their rooms; zero: not yet
	UpdatedAt    time.Time
}

// SettingStore keeps settings.
type SettingStore struct{ db *Database }

// Get reads the settings of a login; without any, empty ones.
func (s *SettingStore) Get(ctx context.Context, loginID string) (Setting, error) {
	setting, found, err := queryOne(ctx, s.db, scanSetting, `
		SELECT login_id, presence_mode, status_text, clock_offset_ms, listed_at, updated_at FROM messenger_login_setting WHERE login_id=$1
	`, loginID)
	if !found {
		return Setting{LoginID: loginID}, err
	}
	return setting, err
}

// Update changes the settings of a login through a function, which may run more than once, see [Database.Write].
func (s *SettingStore) Update(ctx context.Context, loginID string, change func(setting *Setting)) (setting Setting, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		var err error
		setting, err = s.Get(ctx, loginID)
		if err != nil {
			return err
		}
		change(&setting)
		setting.LoginID, setting.UpdatedAt = loginID, time.Now()
		_, err = s.db.db.Exec(ctx, `
			INSERT INTO messenger_login_setting (login_id, presence_mode, status_text, clock_offset_ms, listed_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (login_id) DO UPDATE SET presence_mode=excluded.presence_mode, status_text=excluded.status_text,
				clock_offset_ms=excluded.clock_offset_ms, listed_at=excluded.listed_at,
				updated_at=excluded.updated_at
		`, setting.LoginID, setting.PresenceMode, setting.StatusText, setting.ClockOffset.Milliseconds(), millis(setting.ListedAt),
			millis(setting.UpdatedAt))
		return err
	})
	return setting, err
}

func scanSetting(row dbutil.Scannable) (s Setting, err error) {
	var offset, listedAt, updatedAt int64
	err = row.Scan(&s.LoginID, &s.PresenceMode, &s.StatusText, &offset, &listedAt, &updatedAt)
	s.ListedAt, s.UpdatedAt = fromMillis(listedAt), fromMillis(updatedAt)
	s.ClockOffset = time.Duration(offset) * time.Millisecond
	return s, err
}
