package database

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

func TestASealedValueOpensOnlyWhereItBelongs(t *testing.T) {
	sealer := testSealer(t, "correct horse battery")
	sealed := sealer.Seal("access_token", "me", []byte("the token"))
	plain, err := sealer.Open("access_token", "me", sealed)
	must(t, err)
	equal(t, "opened", string(plain), "the token")
	if strings.Contains(sealed, "token") || !strings.HasPrefix(sealed, "v1:"+sealer.current+":") {
		t.Errorf("sealed as %q", sealed)
	}
	if sealer.Seal("access_token", "me", []byte("the token")) == sealed {
		t.Error("sealing twice gives the same text")
	}
	for name, test := range map[string]struct {
		sealer               *Sealer
		purpose, row, sealed string
		want                 error
	}{
		"another row":      {sealer, "access_token", "you", sealed, ErrTampered},
		"another purpose":  {sealer, "refresh_token", "me", sealed, ErrTampered},
		"another key":      {testSealer(t, "another secret key"), "access_token", "me", sealed, ErrUnknownKey},
		"not sealed":       {sealer, "access_token", "me", "the token", ErrNotSealed},
		"another version":  {sealer, "access_token", "me", "v2" + sealed[2:], ErrNotSealed},
		"cut short":        {sealer, "access_token", "me", sealed[:20], ErrNotSealed},
		"not base64":       {sealer, "access_token", "me", sealed + "!", ErrNotSealed},
		"empty":            {sealer, "access_token", "me", "", ErrNotSealed},
		"one byte changed": {sealer, "access_token", "me", flip(sealed), ErrTampered},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := test.sealer.Open(test.purpose, test.row, test.sealed); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func flip(sealed string) string {
	at := len(sealed) - 10
	other := byte('A')
	if sealed[at] == other {
		other = 'B'
	}
	return sealed[:at] + string(other) + sealed[at+1:]
}

func TestAShortSecretKeyIsRefused(t *testing.T) {
	for _, secrets := range [][]string{{""}, {"short"}, {"correct horse battery", ""}} {
		if _, err := NewSealer(secrets[0], secrets[1:]); !errors.Is(err, ErrWeakKey) {
			t.Errorf("%q: got %v", secrets, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	sealer := testSealer(f, "correct horse battery")
	f.Add(sealer.Seal("p", "r", []byte("x")))
	f.Add("v1:" + sealer.current + ":")
	f.Add("v1::")
	f.Fuzz(func(t *testing.T, sealed string) {
		if plain, err := sealer.Open("other", "row", sealed); err == nil {
			t.Errorf("%q opened as %q", sealed, plain)
		}
	})
}

func TestTheKeyIsCheckedAtTheStart(t *testing.T) {
	eachEngine(t, func(t *testing.T, open func() *dbutil.Database) {
		ctx := t.Context()
		db := ready(t, open())
		_, err := db.Credential.Put(ctx, Credential{LoginID: "me", AccessToken: "access", RefreshToken: "refresh"})
		must(t, err)
		hash, err := db.TextHash("me", "chat", "hello")
		must(t, err)

		if err = db.CheckKey(ctx, testSealer(t, "another secret key")); !errors.Is(err, ErrWrongKey) {
			t.Fatalf("a wrong key: got %v", err)
		}
		opens(t, db, "access", "refresh") // the old one goes on working

		must(t, db.CheckKey(ctx, testSealer(t, "another secret key", "correct horse battery")))
		opens(t, db, "access", "refresh")
		must(t, db.CheckKey(ctx, testSealer(t, "another secret key"))) // the previous key is no longer needed
		opens(t, db, "access", "refresh")
		if err = db.CheckKey(ctx, testSealer(t, "correct horse battery")); !errors.Is(err, ErrWrongKey) {
			t.Fatalf("the key of before the change: got %v", err)
		}
		again, err := db.TextHash("me", "chat", "hello")
		must(t, err)
		equal(t, "hash after the change of key", again, hash)
		other, err := db.TextHash("me", "another chat", "hello")
		must(t, err)
		if other == hash {
			t.Error("the same text has the same hash in another chat")
		}
	})
}

func opens(t *testing.T, db *Database, access, refresh string) {
	t.Helper()
	credential, found, err := db.Credential.Get(t.Context(), "me")
	if err != nil || !found || credential.AccessToken != access || credential.RefreshToken != refresh {
		t.Errorf("credential: %+v, %v, %v", credential, found, err)
	}
}

func TestNothingIsSealedWithoutAKey(t *testing.T) {
	parent := openSQLite(t, t.TempDir(), "sqlite3-fk-wal")
	db := New(parent, zerolog.Nop())
	defer db.Close()
	must(t, db.Upgrade(t.Context()))
	_, err := db.Credential.Put(t.Context(), Credential{LoginID: "me", AccessToken: "access"})
	_, _, getErr := db.Credential.Get(t.Context(), "me")
	_, hashErr := db.TextHash("me", "chat", "text")
	for _, err := range []error{err, getErr, hashErr} {
		if !errors.Is(err, ErrNoKey) {
			t.Errorf("got %v", err)
		}
	}
}

func TestCredentialsAreKeptAndWiped(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		first, err := db.Credential.Put(ctx, Credential{LoginID: "me", AccessToken: "EwA+secret/1=="})
		must(t, err)
		if len(first.Resource) != 16 {
			t.Errorf("resource %q", first.Resource)
		}
		must(t, db.Credential.SetLastHost(ctx, "me", "host:5222"))
		second, err := db.Credential.Put(ctx, Credential{LoginID: "me", AccessToken: "EwA+secret/2==", RefreshToken: "M.secret"})
		must(t, err)
		equal(t, "resource after signing in again", second.Resource, first.Resource)
		equal(t, "host after signing in again", second.LastHost, "host:5222")
		found, err := db.Credential.SetTokens(ctx, "me", "EwA+secret/3==", "M.secret2", first.UpdatedAt)
		must(t, err)
		equal(t, "refreshed", found, true)
		opens(t, db, "EwA+secret/3==", "M.secret2")
		found, err = db.Credential.SetTokens(ctx, "nobody", "a", "b", first.UpdatedAt)
		must(t, err)
		equal(t, "refreshed nobody", found, false)

		if stored := rawTokens(t, db); strings.Contains(stored, "secret") {
			t.Errorf("stored in clear: %s", stored)
		}
		sealed := rawTokens(t, db)
		must(t, db.Credential.overwrite(ctx, "me"))
		noise := rawTokens(t, db)
		if noise == sealed || len(noise) != len(sealed) {
			t.Errorf("overwritten %q by %q", sealed, noise)
		}
	})
}

func rawTokens(t *testing.T, db *Database) (tokens string) {
	must(t, db.db.QueryRow(context.Background(), `SELECT access_token || refresh_token FROM messenger_credential WHERE login_id='me'`).Scan(&tokens))
	return tokens
}
