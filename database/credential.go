package database

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

const (
	purposeAccess  = "access_token"
	purposeRefresh = "refresh_token"
)

// Credential is what one login signs in with.
type Credential struct {
	LoginID      string
	AccessToken  string    // sealed at rest
	RefreshToken string    // sealed at rest; empty when there is none
	ExpiresAt    time.Time // of the access token; zero when unknown
	Scope        string
	Resource     string // the XMPP resource of this login, made once and kept
	LastHost     string // where the last redirect led, host:port
	UpdatedAt    time.Time
}

// CredentialStore keeps credentials, with the tokens sealed by the key that [Database.CheckKey] accepted.
//
// Tokens are wiped by overwriting the row before it is deleted. SQLite may keep freed pages in the file: with the URI parameter
// _secure_delete=on it overwrites them too. Whatever remains in backups or in the write-ahead log is sealed.
type CredentialStore struct{ db *Database }

// Put stores the tokens of a login that has signed in, and keeps its resource if it had one, else makes one. It returns the
// credential as stored.
func (s *CredentialStore) Put(ctx context.Context, credential Credential) (Credential, error) {
	if credential.Resource == "" {
		credential.Resource = NewResource()
	}
	sealer, err := s.db.sealer()
	if err != nil {
		return Credential{}, err
	}
	credential.UpdatedAt = time.Now()
	err = s.db.Write(ctx, func(ctx context.Context) error {
		return s.db.db.QueryRow(ctx, `
			INSERT INTO messenger_credential (login_id, access_token, refresh_token, expires_at, scope, resource, last_host, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (login_id) DO UPDATE SET
				access_token=excluded.access_token, refresh_token=excluded.refresh_token, expires_at=excluded.expires_at,
				scope=excluded.scope, updated_at=excluded.updated_at
			RETURNING resource, last_host
		`, credential.LoginID, sealToken(sealer, purposeAccess, credential.LoginID, credential.AccessToken),
			sealToken(sealer, purposeRefresh, credential.LoginID, credential.RefreshToken), millis(credential.ExpiresAt),
			credential.Scope, credential.Resource, credential.LastHost, millis(credential.UpdatedAt),
		).Scan(&credential.Resource, &credential.LastHost)
	})
	return credential, err
}

// Get reads the credential of a login.
func (s *CredentialStore) Get(ctx context.Context, loginID string) (credential Credential, found bool, err error) {
	sealer, err := s.db.sealer()
	if err != nil {
		return Credential{}, false, err
	}
	credential, found, err = queryOne(ctx, s.db, scanCredential, selectCredential+` WHERE login_id=$1`, loginID)
	if err != nil || !found {
		return Credential{}, false, err
	}
	credential.AccessToken, err = openToken(sealer, purposeAccess, loginID, credential.AccessToken)
	if err == nil {
		credential.RefreshToken, err = openToken(sealer, purposeRefresh, loginID, credential.RefreshToken)
	}
	if err != nil {
		return Credential{}, true, fmt.Errorf("the stored tokens cannot be opened: %w", err)
	}
	return credential, true, nil
}

// SetTokens replaces the tokens after a refresh. found is false when the login is gone.
func (s *CredentialStore) SetTokens(ctx context.Context, loginID, accessToken, refreshToken string, expiresAt time.Time) (found bool, err error) {
	sealer, err := s.db.sealer()
	if err != nil {
		return false, err
	}
	count, err := s.db.exec(ctx, `
		UPDATE messenger_credential SET access_token=$2, refresh_token=$3, expires_at=$4, updated_at=$5 WHERE login_id=$1
	`, loginID, sealToken(sealer, purposeAccess, loginID, accessToken), sealToken(sealer, purposeRefresh, loginID, refreshToken),
		millis(expiresAt), millis(time.Now()))
	return count > 0, err
}

// SetLastHost remembers where the service redirected this login to.
func (s *CredentialStore) SetLastHost(ctx context.Context, loginID, host string) error {
	_, err := s.db.exec(ctx, `UPDATE messenger_credential SET last_host=$2 WHERE login_id=$1`, loginID, host)
	return err
}

// overwrite replaces the sealed tokens by noise of the same length, so that the same bytes of the page are reused.
func (s *CredentialStore) overwrite(ctx context.Context, loginID string) error {
	return s.db.Write(ctx, func(ctx context.Context) error {
		row, found, err := queryOne(ctx, s.db, scanCredential, selectCredential+` WHERE login_id=$1`, loginID)
		if err != nil || !found {
			return err
		}
		_, err = s.db.db.Exec(ctx, `UPDATE messenger_credential SET access_token=$2, refresh_token=$3 WHERE login_id=$1`,
			loginID, noise(len(row.AccessToken)), noise(len(row.RefreshToken)))
		return err
	})
}

// resealCredentials seals again whatever is not sealed with the current key, and fails if it cannot be opened.
func (db *Database) resealCredentials(ctx context.Context, sealer *Sealer) error {
	rows, err := queryAll(ctx, db, scanCredential, selectCredential)
	if err != nil {
		return err
	}
	for _, row := range rows {
		access, err := resealToken(sealer, purposeAccess, row.LoginID, row.AccessToken)
		if err != nil {
			return err
		}
		refresh, err := resealToken(sealer, purposeRefresh, row.LoginID, row.RefreshToken)
		if err != nil {
			return err
		}
		if access == row.AccessToken && refresh == row.RefreshToken {
			continue
		}
		_, err = db.db.Exec(ctx, `UPDATE messenger_credential SET access_token=$2, refresh_token=$3 WHERE login_id=$1`, row.LoginID, access, refresh)
		if err != nil {
			return err
		}
	}
	return nil
}

const selectCredential = `
	SELECT login_id, access_token, refresh_token, expires_at, scope, resource, last_host, updated_at FROM messenger_credential`

// scanCredential leaves the tokens sealed.
func scanCredential(row dbutil.Scannable) (c Credential, err error) {
	var expiresAt, updatedAt int64
	err = row.Scan(&c.LoginID, &c.AccessToken, &c.RefreshToken, &expiresAt, &c.Scope, &c.Resource, &c.LastHost, &updatedAt)
	c.ExpiresAt, c.UpdatedAt = fromMillis(expiresAt), fromMillis(updatedAt)
	return c, err
}

func sealToken(sealer *Sealer, purpose, loginID, token string) string {
	if token == "" {
		return ""
	}
	return sealer.Seal(purpose, loginID, []byte(token))
}

func openToken(sealer *Sealer, purpose, loginID, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	plain, err := sealer.Open(purpose, loginID, sealed)
	return string(plain), err
}

func resealToken(sealer *Sealer, purpose, loginID, sealed string) (string, error) {
	if sealed == "" || sealer.sealedWithCurrent(sealed) {
		return sealed, nil
	}
	plain, err := openToken(sealer, purpose, loginID, sealed)
	if err != nil {
		return "", err
	}
	return sealToken(sealer, purpose, loginID, plain), nil
}

// NewResource makes an XMPP resource that nobody can guess and that tells nothing about the program or its machine.
func NewResource() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the program instead
	return hex.EncodeToString(random[:])
}

func noise(length int) string {
	random := make([]byte, length/2+1)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	return hex.EncodeToString(random)[:length]
}
