package database

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	sealVersion   = "v1"
	minSecretSize = 16
)

// Errors of sealing. None of them contains what was sealed, or a key.
var (
	// ErrUnknownKey means that the text was sealed with a key that is neither the current nor a previous one.
	ErrUnknownKey = errors.New("sealed with a key that is not in the configuration")
	// ErrNotSealed means that the text is not of the form v1:key:data.
	ErrNotSealed = errors.New("not a sealed value")
	// ErrTampered means that the sealed text was changed, or belongs to another row.
	ErrTampered = errors.New("the sealed value is damaged or belongs elsewhere")
	// ErrWeakKey means that a secret key is too short to be one.
	ErrWeakKey = errors.New("a secret key needs at least 16 characters")
)

// Sealer encrypts secrets at rest with XChaCha20-Poly1305 under a key derived (HKDF-SHA256) from the secret_key of the
// configuration. A sealed text is "v1:<key id>:<base64 of nonce and ciphertext>"; the key ID tells which of several keys
// to open with, so that keys can be rotated. It is immutable and safe for concurrent use.
type Sealer struct {
	current string
	keys    map[string]cipher.AEAD
}

// NewSealer makes a sealer that seals with current and opens with current and previous (secret_key and previous_secret_keys).
func NewSealer(current string, previous []string) (*Sealer, error) {
	s := &Sealer{keys: make(map[string]cipher.AEAD)}
	for i, secret := range append([]string{current}, previous...) {
		if len(secret) < minSecretSize {
			return nil, ErrWeakKey
		}
		id, aead, err := deriveKey(secret)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			s.current = id
		}
		s.keys[id] = aead
	}
	return s, nil
}

func deriveKey(secret string) (id string, aead cipher.AEAD, err error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "matrix-messenger seal "+sealVersion, chacha20poly1305.KeySize)
	if err != nil {
		return "", nil, fmt.Errorf("deriving the sealing key failed: %w", err)
	}
	name, err := hkdf.Key(sha256.New, []byte(secret), nil, "matrix-messenger seal key id "+sealVersion, 4)
	if err != nil {
		return "", nil, fmt.Errorf("deriving the sealing key's name failed: %w", err)
	}
	aead, err = chacha20poly1305.NewX(key)
	return hex.EncodeToString(name), aead, err
}

// Seal encrypts plain. purpose and rowID say what it is and whose; opening needs the same ones, so that a sealed value
// copied to another row or column is refused.
func (s *Sealer) Seal(purpose, rowID string, plain []byte) string {
	aead := s.keys[s.current]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails: it ends the program instead
	sealed := aead.Seal(nonce, nonce, plain, associatedData(purpose, rowID))
	return sealVersion + ":" + s.current + ":" + base64.RawStdEncoding.EncodeToString(sealed)
}

// Open reverses [Sealer.Seal]. Errors: [ErrNotSealed], [ErrUnknownKey], [ErrTampered].
func (s *Sealer) Open(purpose, rowID, sealed string) ([]byte, error) {
	keyID, data, err := splitSealed(sealed)
	if err != nil {
		return nil, err
	}
	aead, known := s.keys[keyID]
	if !known {
		return nil, ErrUnknownKey
	}
	if len(data) < aead.NonceSize() {
		return nil, ErrNotSealed
	}
	plain, err := aead.Open(nil, data[:aead.NonceSize()], data[aead.NonceSize():], associatedData(purpose, rowID))
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

// sealedWithCurrent reports whether a sealed value needs no resealing.
func (s *Sealer) sealedWithCurrent(sealed string) bool {
	return strings.HasPrefix(sealed, sealVersion+":"+s.current+":")
}

func splitSealed(sealed string) (keyID string, data []byte, err error) {
	parts := strings.SplitN(sealed, ":", 3)
	if len(parts) != 3 || parts[0] != sealVersion {
		return "", nil, ErrNotSealed
	}
	data, err = base64.RawStdEncoding.DecodeString(parts[2])
	if err != nil {
		return "", nil, ErrNotSealed
	}
	return parts[1], data, nil
}

// associatedData is unambiguous because purposes are our own words and hold no zero byte.
func associatedData(purpose, rowID string) []byte {
	return []byte(purpose + "\x00" + rowID)
}
