package stablesend

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"

	"maunium.net/go/mautrix"
)

// KeyProperty is the property of an event's content that names the key it was sent with, see [Mark].
const KeyProperty = "com.matrix-messenger.key"

type contextKey struct{}

// attempt is the state of one try to send what belongs to a key.
type attempt struct {
	base string

	mu      sync.Mutex
	counts  map[string]int    // sends so far, by what they are
	renamed map[string]string // path of the library to our transaction ID, so that an HTTP retry keeps it
}

// WithKey marks a context: everything sent with it is part of what key names. Keys are unique for what is sent (the row's
// key in the Messenger inbox); they need not be secret and do not appear on the wire.
//
// The library does not repeat requests of this context by itself: between two tries the homeserver may have restarted and forgotten the transaction, so that whoever tries again
// has to look for the event first, see [Find].
func WithKey(ctx context.Context, key string) context.Context {
	ctx = mautrix.WithMaxRetries(ctx, 0)
	return context.WithValue(ctx, contextKey{}, &attempt{base: key, counts: make(map[string]int), renamed: make(map[string]string)})
}

// Mark is what [KeyProperty] holds for a key.
func Mark(key string) string {
	return digest("mark", key)
}

// transactionID gives the ID for a send: what tells its sender, room and kind; path is how the library names this very request.
func (a *attempt) transactionID(what, path string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if txn, known := a.renamed[path]; known {
		return txn
	}
	a.counts[what]++
	txn := digest("txn", a.base, what, strconv.Itoa(a.counts[what]))
	a.renamed[path] = txn
	return txn
}

// digest hashes parts so that different parts cannot give the same text.
func digest(parts ...string) string {
	var text strings.Builder
	for _, part := range parts {
		text.WriteString(strconv.Itoa(len(part)))
		text.WriteByte(':')
		text.WriteString(part)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}
