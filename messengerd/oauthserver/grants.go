package oauthserver

import (
	"container/list"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"matrix-messenger/messengerd/tokens"
)

// maxAccess bounds the access tokens remembered for one consent; only those can
// be taken back with it. A client that refreshes each minute holds far fewer.
const maxAccess = 64

// grant is one consent: an account allowed a client a scope.
type grant struct {
	id      [16]byte
	client  string
	account string
	scope   []string
	// seq is the number of the refresh token that counts; an older one is a
	// used one. Numbers make reuse detectable without remembering every token.
	seq     uint64
	revoked bool
	access  []tokens.Token // oldest first
	place   *list.Element
}

// code is an authorization code with what it was issued for.
type code struct {
	client, redirect, account string
	scope                     []string
	challenge, method         string // PKCE, empty when not sent
	expires                   time.Time
	used                      *grant
}

// grants owns codes and consents.
type grants struct {
	now      func() time.Time
	tokens   *tokens.Store
	codeLife time.Duration
	max      int
	key      []byte // authenticates refresh tokens

	mu       sync.Mutex
	codes    map[string]*code
	codeList []string // in the order of issue
	byID     map[[16]byte]*grant
	byAccess map[string]*grant
	recent   *list.List // of *grant, least recently used first
}

func newGrants(codeLife time.Duration, maximum int, now func() time.Time, store *tokens.Store) *grants {
	if codeLife == 0 {
		codeLife = 10 * time.Minute
	}
	if maximum <= 0 {
		maximum = 100_000
	}
	return &grants{
		now: now, tokens: store, codeLife: codeLife, max: maximum, key: randomBytes(32),
		codes: make(map[string]*code), byID: make(map[[16]byte]*grant),
		byAccess: make(map[string]*grant), recent: list.New(),
	}
}

// newCode keeps a code and gives its text.
func (g *grants) newCode(c code) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	c.expires = now.Add(g.codeLife)
	// A used code is kept for its whole life, so that a second use is noticed.
	for len(g.codeList) > 0 {
		oldest := g.codes[g.codeList[0]]
		if len(g.codeList) < g.max && now.Before(oldest.expires) {
			break
		}
		delete(g.codes, g.codeList[0])
		g.codeList = g.codeList[1:]
	}
	text := base64.RawURLEncoding.EncodeToString(randomBytes(24))
	g.codes[text] = &c
	g.codeList = append(g.codeList, text)
	return text
}

// redeem uses up a code. check compares the request with what the code was
// issued for and is asked before the code counts as used, so that someone else
// cannot spoil it. A second use revokes what the first one gave.
func (g *grants) redeem(text string, check func(*code) bool) (*grant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.codes[text]
	if c == nil || !g.now().Before(c.expires) || !check(c) {
		return nil, false
	}
	if c.used != nil {
		g.revoke(c.used)
		return nil, false
	}
	c.used = g.add(c.client, c.account, c.scope)
	return c.used, true
}

// consent adds a grant without a code, for the implicit flow.
func (g *grants) consent(client, account string, scope []string) *grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.add(client, account, scope)
}

func (g *grants) add(client, account string, scope []string) *grant {
	for len(g.byID) >= g.max {
		g.forget(g.recent.Front().Value.(*grant))
	}
	n := &grant{id: [16]byte(randomBytes(16)), client: client, account: account, scope: slices.Clone(scope)}
	g.byID[n.id] = n
	n.place = g.recent.PushBack(n)
	return n
}

func (g *grants) forget(old *grant) {
	for _, t := range old.access {
		delete(g.byAccess, t.Value)
	}
	delete(g.byID, old.id)
	g.recent.Remove(old.place)
}

// issue makes an access token under a consent.
func (g *grants) issue(to *grant) tokens.Token {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for len(to.access) > 0 && (len(to.access) >= maxAccess || !now.Before(to.access[0].Expires)) {
		delete(g.byAccess, to.access[0].Value)
		to.access = to.access[1:]
	}
	t := g.tokens.Issue(to.account)
	if to.revoked {
		// The consent ended between its check and now.
		g.tokens.Revoke(t.Value)
		return t
	}
	to.access = append(to.access, t)
	g.byAccess[t.Value] = to
	if to.place != nil && g.byID[to.id] == to {
		g.recent.MoveToBack(to.place)
	}
	return t
}

// refreshToken writes the consent's current refresh token.
func (g *grants) refreshToken(of *grant) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seal(of.id, of.seq)
}

// seal writes a refresh token: consent, number, and a MAC that only we can make.
func (g *grants) seal(id [16]byte, seq uint64) string {
	raw := binary.BigEndian.AppendUint64(slices.Clone(id[:]), seq)
	return "MR." + base64.RawURLEncoding.EncodeToString(append(raw, g.mac(raw)...))
}

func (g *grants) mac(raw []byte) []byte {
	m := hmac.New(sha256.New, g.key)
	m.Write(raw)
	return m.Sum(nil)
}

// open finds the consent and number of a refresh token.
func (g *grants) open(text string) (*grant, uint64, bool) {
	if len(text) < 3 || text[:3] != "MR." {
		return nil, 0, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text[3:])
	if err != nil || len(raw) != 16+8+sha256.Size || !hmac.Equal(raw[24:], g.mac(raw[:24])) {
		return nil, 0, false
	}
	of := g.byID[[16]byte(raw[:16])]
	if of == nil || of.revoked {
		return nil, 0, false
	}
	return of, binary.BigEndian.Uint64(raw[16:24]), true
}

// use checks a refresh token and, if rotate, replaces it. One that was replaced
// earlier has been copied by someone: the whole consent ends (RFC 9700, 4.14.2).
func (g *grants) use(text, client string, rotate bool, check func(*grant) bool) (of *grant, reused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	of, seq, ok := g.open(text)
	if !ok || of.client != client {
		return nil, false
	}
	if seq != of.seq {
		g.revoke(of)
		return nil, true
	}
	if check(of) && rotate {
		of.seq++
	}
	return of, false
}

// revokeToken takes back an access token, or a refresh token with its consent
// (RFC 7009, 2.1). Foreign and unknown ones are ignored.
func (g *grants) revokeToken(text, client string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if of := g.byAccess[text]; of != nil {
		if of.client == client {
			g.tokens.Revoke(text)
		}
		return
	}
	if of, _, ok := g.open(text); ok && of.client == client {
		g.revoke(of)
	}
}

func (g *grants) revoke(of *grant) {
	of.revoked = true
	for _, t := range of.access {
		g.tokens.Revoke(t.Value)
		delete(g.byAccess, t.Value)
	}
	of.access = nil
}

func (g *grants) revokeAccount(account string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, of := range g.byID {
		if of.account == account {
			g.revoke(of)
		}
	}
}

// scopeOf gives the scope of an access token issued here.
func (g *grants) scopeOf(access string) ([]string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	of := g.byAccess[access]
	if of == nil {
		return nil, false
	}
	return of.scope, true
}
