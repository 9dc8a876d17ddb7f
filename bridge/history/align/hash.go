package align

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Hash stands for a normalised text; two messages say the same when their hashes are equal, and nothing else about it
// matters here. A Hasher makes them, or any other keyed hash over Normalize(text).
type Hash string

// hashSize is the length of a Hasher's hashes in bytes: enough that two texts of a chat never share one by chance.
const hashSize = 16

// MinKey is the shortest key of a Hasher, in bytes.
const MinKey = 16

// Hasher makes the hashes of one chat. It may be used from several goroutines.
type Hasher struct {
	key [sha256.Size]byte
}

// NewHasher makes the Hasher of a chat from the bridge's secret key. Different chats, named by whatever tells them apart
// (login and chat ID), have different hashes for one text, so that the log does not show who said the same.
func NewHasher(key []byte, chat string) (*Hasher, error) {
	if len(key) < MinKey {
		return nil, errors.New("align: the key for hashing texts is too short")
	}
	h := &Hasher{}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("chat log\x00" + chat))
	mac.Sum(h.key[:0])
	return h, nil
}

// Sum is HMAC-SHA-256 over Normalize(text), cut to 16 bytes, in hexadecimal digits.
func (h *Hasher) Sum(text string) Hash {
	mac := hmac.New(sha256.New, h.key[:])
	mac.Write([]byte(Normalize(text)))
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	return Hash(hex.EncodeToString(sum[:hashSize]))
}

// Normalize takes out of a text what services and programs on the way are known to change without changing what it says:
// all white space (so line ends of every kind, trimming, doubled blanks, and how the parts of a split text are put
// together again), characters that XML or a terminal would not let through, zero-width ones, and the way accents are
// composed. Two texts that differ in nothing else count as the same.
func Normalize(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return -1
		case r == 0x200B, r == 0x2060, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF:
			return -1
		}
		return r
	}, text)
	return norm.NFC.String(text)
}
