package database

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

const (
	secretCheck    = "check"     // a known text, there to find out whether the key fits
	secretTextHash = "text-hash" // the random key of TextHash; sealed, so that it survives a change of secret_key

	purposeSecret = "secret"
	checkText     = "matrix-messenger"
)

// ErrWrongKey is in the error of [Database.CheckKey] when the data was sealed with another key.
var ErrWrongKey = errors.New("secret_key is not the key that the database was sealed with; put the old key back, as secret_key or into previous_secret_keys")

// ErrNoKey is the answer of everything that needs the key before [Database.CheckKey] has accepted one.
var ErrNoKey = errors.New("the database's key has not been set")

// keys is what an accepted key gives.
type keys struct {
	sealer   *Sealer
	textHash []byte
}

// CheckKey makes sealer the one that this Database works with, after making sure that its keys open what is stored. Whatever
// is still sealed with a previous key is sealed again with the current one, in one transaction; afterwards the previous keys
// are no longer needed. A database without sealed data takes the key as its own. The error contains [ErrWrongKey] when the
// data was sealed with a key that sealer does not have.
func (db *Database) CheckKey(ctx context.Context, sealer *Sealer) error {
	var textHash []byte
	err := db.Write(ctx, func(ctx context.Context) error {
		if err := db.checkSecret(ctx, sealer); err != nil {
			return err
		}
		var err error
		textHash, err = db.textHashKey(ctx, sealer)
		if err != nil {
			return err
		}
		if err = db.resealCredentials(ctx, sealer); err != nil {
			return err
		}
		return db.resealEvents(ctx, sealer)
	})
	if errors.Is(err, ErrUnknownKey) || errors.Is(err, ErrTampered) {
		return fmt.Errorf("%w (%w)", ErrWrongKey, err)
	} else if err != nil {
		return fmt.Errorf("checking secret_key failed: %w", err)
	}
	db.keys.Store(&keys{sealer: sealer, textHash: textHash})
	return nil
}

func (db *Database) checkSecret(ctx context.Context, sealer *Sealer) error {
	plain, err := db.openOrCreateSecret(ctx, sealer, secretCheck, []byte(checkText))
	if err == nil && string(plain) != checkText {
		return ErrTampered
	}
	return err
}

func (db *Database) textHashKey(ctx context.Context, sealer *Sealer) ([]byte, error) {
	fresh := make([]byte, sha256.Size)
	_, _ = rand.Read(fresh) // never fails: it ends the program instead
	return db.openOrCreateSecret(ctx, sealer, secretTextHash, fresh)
}

// openOrCreateSecret opens a row of messenger_secret, resealing it if needed, or creates it with the given text.
func (db *Database) openOrCreateSecret(ctx context.Context, sealer *Sealer, name string, fresh []byte) ([]byte, error) {
	sealed, found, err := queryOne(ctx, db, dbutil.ScanSingleColumn[string], `SELECT sealed FROM messenger_secret WHERE name=$1`, name)
	if err != nil {
		return nil, err
	}
	plain := fresh
	if found {
		plain, err = sealer.Open(purposeSecret, name, sealed)
		if err != nil || sealer.sealedWithCurrent(sealed) {
			return plain, err
		}
	}
	_, err = db.db.Exec(ctx, `
		INSERT INTO messenger_secret (name, sealed) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET sealed=excluded.sealed
	`, name, sealer.Seal(purposeSecret, name, plain))
	return plain, err
}

func (db *Database) sealer() (*Sealer, error) {
	accepted := db.keys.Load()
	if accepted == nil {
		return nil, ErrNoKey
	}
	return accepted.sealer, nil
}

// TextHash is a message text as the chat log keeps it: an HMAC under a random key of this database, different for each chat,
// so that the log shows neither texts nor that two chats had the same one.
func (db *Database) TextHash(loginID, chatID, text string) (string, error) {
	accepted := db.keys.Load()
	if accepted == nil {
		return "", ErrNoKey
	}
	mac := hmac.New(sha256.New, accepted.textHash)
	mac.Write([]byte(loginID + "\x00" + chatID + "\x00" + text))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil)[:16]), nil
}
