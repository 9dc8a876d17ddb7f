package messengerd

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

// Account is one Messenger user: roster, archive and stored messages, the
// sessions, and a Messenger program of its own inside the service (see
// Account.SendMessage and the other methods in program.go).
type Account struct {
	srv    *Server
	cfg    AccountConfig
	jid    string // bare, as the service spells it
	key    string // jid in lower case
	vcard  *element
	keep   bool // keeps a history
	invite string

	// broadcast is held while presence goes out to the contacts, so that they
	// see changes in their order. It is taken before any account's mu.
	broadcast sync.Mutex

	mu       sync.Mutex // guards what follows, and the sessions' presence
	sessions map[string]*session
	roster   map[string]*item // by bare JID in lower case
	rosterOf []string         // its keys in order of arrival
	offline  []storedMessage
	archive  map[string]*conversation
	program  program
	news     chan struct{} // closed at the next change, nil while nobody waits
}

// JID is the account's bare JID.
func (a *Account) JID() string { return a.jid }

// Email is the account's address, possibly empty.
func (a *Account) Email() string { return a.cfg.Email }

// Name is the display name, else the localpart.
func (a *Account) Name() string {
	if a.cfg.Name != "" {
		return a.cfg.Name
	}
	local, _, _ := strings.Cut(a.jid, "@")
	return local
}

// Account finds an account by e-mail address or JID; nil if there is none.
func (s *Server) Account(id string) *Account {
	id, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(id)), "/")
	s.people.RLock()
	defer s.people.RUnlock()
	if a := s.byJID[id]; a != nil {
		return a
	}
	return s.byMail[id]
}

func (s *Server) accounts() []*Account {
	s.people.RLock()
	defer s.people.RUnlock()
	return append([]*Account(nil), s.order...)
}

// AddAccount adds an account while the service runs.
func (s *Server) AddAccount(cfg AccountConfig) (*Account, error) {
	if err := cfg.validate("account", s.domain); err != nil {
		return nil, err
	}
	a, err := s.addAccount(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.linkContacts(&cfg); err != nil {
		return nil, err
	}
	s.mu.Lock()
	running := s.started && !s.closing
	s.mu.Unlock()
	if running {
		s.startBehaviour(a)
	}
	s.changed()
	return a, nil
}

func (s *Server) addAccount(cfg AccountConfig) (*Account, error) {
	setDefaults(reflect.ValueOf(&cfg).Elem())
	if cfg.JID == "" {
		cfg.JID = localpart(cfg.Email, s.sw().Localpart) + "@" + s.domain
	}
	if _, err := jid.Parse(cfg.JID); err != nil {
		return nil, fmt.Errorf("jid: %w", err)
	}
	a := &Account{
		srv: s, cfg: cfg, jid: cfg.JID, key: strings.ToLower(cfg.JID), keep: cfg.KeepHistory == nil || *cfg.KeepHistory,
		invite: cfg.Invitations, sessions: map[string]*session{}, roster: map[string]*item{}, archive: map[string]*conversation{},
	}
	var err error
	if a.vcard, err = buildVCard(&cfg); err != nil {
		return nil, err
	}
	a.program.init(&cfg)
	s.people.Lock()
	defer s.people.Unlock()
	mail := strings.ToLower(cfg.Email)
	if s.byJID[a.key] != nil || (mail != "" && s.byMail[mail] != nil) {
		return nil, fmt.Errorf("there is already an account %s or %s", cfg.JID, cfg.Email)
	}
	s.byJID[a.key] = a
	if mail != "" {
		s.byMail[mail] = a
	}
	s.order = append(s.order, a)
	return a, nil
}

// localpart makes the identifier of an account from its address, the same at every start.
func localpart(email, form string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	switch form {
	case "decimal":
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(sum[:])%90_000)+10_000, 10)
	case "mixed_case":
		h := hex.EncodeToString(sum[:6])
		return "Id" + strings.ToUpper(h[:6]) + "x" + h[6:]
	default:
		return hex.EncodeToString(sum[:8])
	}
}

// linkContacts makes the roster entries that an account's configuration names,
// with the matching entries of the other side.
func (s *Server) linkContacts(cfg *AccountConfig) error {
	id := cfg.JID
	if id == "" {
		id = cfg.Email
	}
	a := s.Account(id)
	for i, c := range cfg.Contacts {
		setDefaults(reflect.ValueOf(&c).Elem())
		other := s.Account(c.Account)
		bare := c.Account
		if other != nil {
			bare = other.jid
		} else if j, err := jid.Parse(c.Account); err != nil || j.Localpart() == "" {
			return fmt.Errorf("contacts[%d].account: there is no account %q", i, c.Account)
		}
		if strings.EqualFold(bare, a.jid) {
			return fmt.Errorf("contacts[%d].account: is the account itself", i)
		}
		mine, theirs, ok := configuredStates(c.Subscription)
		if !ok {
			return fmt.Errorf("contacts[%d].subscription: %q is not known", i, c.Subscription)
		}
		name := c.Name
		if name == "" && other != nil && mine != stateNI {
			name = other.Name()
		}
		a.setItem(bare, name, c.Groups, mine, nickOf(other))
		if other != nil {
			name = a.Name()
			if theirs == stateNI {
				name = ""
			}
			other.setItemIfNew(a.jid, name, theirs, a.Name())
		}
	}
	for i, h := range cfg.History {
		other := s.Account(h.With)
		if other == nil {
			return fmt.Errorf("history[%d].with: there is no account %q", i, h.With)
		}
		at := s.now().Add(-h.Ago)
		from, to := other, a
		if h.From == "me" {
			from, to = a, other
		}
		s.archiveMessage(from, to, h.Body, at)
	}
	return nil
}

func nickOf(a *Account) string {
	if a == nil {
		return ""
	}
	return a.Name()
}

// configuredStates turns a contact's subscription in the configuration into the
// states of both sides.
func configuredStates(subscription string) (mine, theirs subState, ok bool) {
	switch subscription {
	case "both", "":
		return stateB, stateB, true
	case "to":
		return stateT, stateF, true
	case "from":
		return stateF, stateT, true
	case "none":
		return stateN, stateN, true
	case "invited":
		return stateNO, stateNI, true
	case "invites":
		return stateNI, stateNO, true
	}
	return stateN, stateN, false
}

// register binds a session to its account. A session with the same resource is
// replaced: it gets the stream error conflict (RFC 6120, 7.7.2.2).
func (a *Account) register(ses *session) (condition string) {
	for {
		a.mu.Lock()
		old := a.sessions[ses.resource]
		if old == nil {
			defer a.mu.Unlock()
			if len(a.sessions) >= resourcesPerAccount {
				return "resource-constraint"
			}
			ses.account, ses.bound = a, true
			ses.owner.Store(a)
			a.notify()
			a.sessions[ses.resource] = ses
			return ""
		}
		a.mu.Unlock()
		old.endWithError("conflict", "Replaced by a new connection.")
		old.detach()
	}
}

// detach takes a session out of its account and tells the contacts. It may be
// called more than once.
func (ses *session) detach() {
	a := ses.account
	if a == nil {
		return
	}
	a.broadcast.Lock()
	defer a.broadcast.Unlock()
	a.mu.Lock()
	if !ses.bound {
		a.mu.Unlock()
		return
	}
	ses.bound = false
	delete(a.sessions, ses.resource)
	was := ses.show
	ses.show = presence{known: was.known}
	a.notify()
	a.mu.Unlock()
	if was.online {
		a.tellContacts(ses.jid, presence{}, nil)
	}
}

var errNoPhoto = errors.New("photo_file and photo_url exclude each other")

// buildVCard makes the vCard element, nil for none (protocol, section 9).
func buildVCard(cfg *AccountConfig) (*element, error) {
	if cfg.NoVCard {
		return nil, nil
	}
	v := cfg.VCard
	if v == nil {
		v = &VCardConfig{}
	}
	card := el(nsVCard, "vCard")
	leaf := func(name, text string) *element { return el(nsVCard, name).withText(text) }
	optional := func(name, text string) *element {
		if text == "" {
			return nil
		}
		return leaf(name, text)
	}
	full := v.FullName
	if full == "" {
		full = cfg.Name
	}
	card.with(optional("FN", full))
	if v.Given != "" || v.Family != "" {
		card.with(el(nsVCard, "N").with(leaf("FAMILY", v.Family), leaf("GIVEN", v.Given)))
	}
	card.with(optional("NICKNAME", v.Nickname))
	photo := v.PhotoData
	if v.PhotoFile != "" {
		if v.PhotoURL != "" {
			return nil, fmt.Errorf("vcard: %w", errNoPhoto)
		}
		var err error
		if photo, err = os.ReadFile(v.PhotoFile); err != nil {
			return nil, fmt.Errorf("vcard.photo_file: %w", err)
		}
	}
	switch {
	case len(photo) > 0:
		kind := v.PhotoType
		if kind == "" {
			kind = "image/jpeg"
		}
		card.with(el(nsVCard, "PHOTO").with(leaf("TYPE", kind), leaf("BINVAL", base64.StdEncoding.EncodeToString(photo))))
	case v.PhotoURL != "":
		card.with(el(nsVCard, "PHOTO").with(leaf("EXTVAL", v.PhotoURL)))
	}
	return card, nil
}

// SessionInfo describes one signed-in stream.
type SessionInfo struct {
	ID       uint64    `json:"id"`
	JID      string    `json:"jid"` // full
	Since    time.Time `json:"since"`
	Online   bool      `json:"online"` // sent an available presence
	Show     string    `json:"show,omitempty"`
	Status   string    `json:"status,omitempty"`
	Presence bool      `json:"presence"` // sent any presence
}

// Sessions are the account's signed-in streams.
func (a *Account) Sessions() []SessionInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]SessionInfo, 0, len(a.sessions))
	for _, ses := range a.sessions {
		list = append(list, SessionInfo{
			ID: ses.number, JID: ses.jid, Since: ses.since,
			Online: ses.show.online, Show: ses.show.show, Status: ses.show.status, Presence: ses.show.known,
		})
	}
	return list
}
