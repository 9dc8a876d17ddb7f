package database

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
)

// RosterItem is a contact as the roster shows it (RFC 6121, 2).
type RosterItem struct {
	JID          string // bare, lower case
	JIDAsSent    string // the service's spelling
	Name         string
	Subscription string // none, to, from, both
	Ask          string // subscribe, or empty
	Groups       []string
}

// Contact is a person that a login knows: of the roster, or met otherwise.
type Contact struct {
	LoginID string
	RosterItem
	InRoster       bool
	Nick           string // XEP-0172
	VCardName      string // FN or NICKNAME of XEP-0054
	Email          string // the address used to find them
	PhotoHash      string // of the photo last seen
	AvatarMXC      string // where that photo was uploaded to
	VCardFetchedAt time.Time
	VCardError     string
	UpdatedAt      time.Time
}

// RosterDiff is what a new roster changed.
type RosterDiff struct {
	Added   []Contact
	Changed []Contact
	Removed []Contact // as they were; they stay as contacts that are not in the roster
}

// ContactStore keeps contacts.
type ContactStore struct{ db *Database }

// Get reads one contact.
func (s *ContactStore) Get(ctx context.Context, loginID, jid string) (contact Contact, found bool, err error) {
	return queryOne(ctx, s.db, scanContact, selectContact+` WHERE login_id=$1 AND jid=$2`, loginID, jid)
}

// List reads all contacts of a login, in the order of their JIDs.
func (s *ContactStore) List(ctx context.Context, loginID string) ([]Contact, error) {
	return queryAll(ctx, s.db, scanContact, selectContact+` WHERE login_id=$1 ORDER BY jid`, loginID)
}

// CardsDue are the contacts on the roster whose vCard was not asked for since then, in the order of their JIDs: those with a
// ghost of the framework's, which shows what the card says, and those who have no other name.
func (s *ContactStore) CardsDue(ctx context.Context, bridgeID, loginID string, since time.Time) (jids []string, err error) {
	return queryAll(ctx, s.db, dbutil.ScanSingleColumn[string], `
		SELECT jid FROM messenger_contact
		WHERE login_id=$1 AND in_roster AND vcard_fetched_at<$2
			AND (name='' OR EXISTS (SELECT 1 FROM ghost WHERE bridge_id=$3 AND id=jid))
		ORDER BY jid
	`, loginID, millis(since), bridgeID)
}

// ByEmail finds the contact that was added with an address.
func (s *ContactStore) ByEmail(ctx context.Context, loginID, email string) (contact Contact, found bool, err error) {
	return queryOne(ctx, s.db, scanContact, selectContact+` WHERE login_id=$1 AND email=$2 ORDER BY jid LIMIT 1`, loginID, strings.ToLower(email))
}

// Search finds contacts whose name, nickname, address or JID contains the text, in any letter case.
func (s *ContactStore) Search(ctx context.Context, loginID, text string, limit int) ([]Contact, error) {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text))
	return queryAll(ctx, s.db, scanContact, selectContact+`
		WHERE login_id=$1 AND search_text LIKE $2 ESCAPE '\' ORDER BY jid LIMIT $3
	`, loginID, "%"+escaped+"%", limit)
}

// Put stores a contact as it is given.
func (s *ContactStore) Put(ctx context.Context, contact Contact) error {
	contact.UpdatedAt = time.Now()
	if contact.JIDAsSent == "" {
		contact.JIDAsSent = contact.JID
	}
	contact.Email = strings.ToLower(contact.Email)
	groups, err := json.Marshal(contact.Groups)
	if err != nil {
		return err
	}
	_, err = s.db.exec(ctx, `
		INSERT INTO messenger_contact (
			login_id, jid, jid_as_sent, in_roster, name, subscription, ask, roster_groups, nick, vcard_name, email, photo_hash,
			avatar_mxc, vcard_fetched_at, vcard_error, search_text, updated_at
		) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (login_id, jid) DO UPDATE SET
			jid_as_sent=excluded.jid_as_sent, in_roster=excluded.in_roster, name=excluded.name, subscription=excluded.subscription,
			ask=excluded.ask, roster_groups=excluded.roster_groups, nick=excluded.nick, vcard_name=excluded.vcard_name,
			email=excluded.email, photo_hash=excluded.photo_hash, avatar_mxc=excluded.avatar_mxc,
			vcard_fetched_at=excluded.vcard_fetched_at, vcard_error=excluded.vcard_error, search_text=excluded.search_text,
			updated_at=excluded.updated_at
	`, contact.LoginID, contact.JID, contact.JIDAsSent, contact.InRoster, contact.Name, contact.Subscription, contact.Ask,
		string(groups), contact.Nick, contact.VCardName, contact.Email, contact.PhotoHash, contact.AvatarMXC,
		millis(contact.VCardFetchedAt), contact.VCardError, searchText(contact), millis(contact.UpdatedAt))
	return err
}

// Update changes a contact through a function, which gets a new contact when there is none. Nothing is written when the
// function changes nothing. It returns the contact as it is now. The function may run more than once, see [Database.Write].
func (s *ContactStore) Update(ctx context.Context, loginID, jid string, change func(contact *Contact)) (contact Contact, changed bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		before, found, err := s.Get(ctx, loginID, jid)
		if err != nil {
			return err
		}
		if !found {
			before = Contact{LoginID: loginID, RosterItem: RosterItem{JID: jid, JIDAsSent: jid, Subscription: "none"}}
		}
		contact = before
		change(&contact)
		contact.LoginID, contact.JID = loginID, jid
		changed = !found || !reflect.DeepEqual(before, contact)
		if !changed {
			return nil
		}
		return s.Put(ctx, contact)
	})
	return contact, changed && err == nil, err
}

// ReplaceRoster makes the given items the roster of a login and returns what that changed. What is known of contacts beyond
// the roster stays.
func (s *ContactStore) ReplaceRoster(ctx context.Context, loginID string, items []RosterItem) (diff RosterDiff, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		diff = RosterDiff{}
		known, err := s.List(ctx, loginID)
		if err != nil {
			return err
		}
		byJID := make(map[string]Contact, len(known))
		for _, contact := range known {
			byJID[contact.JID] = contact
		}
		for _, item := range items {
			before, found := byJID[item.JID]
			delete(byJID, item.JID)
			after := before
			after.LoginID, after.RosterItem, after.InRoster = loginID, item, true
			switch {
			case !found || !before.InRoster:
				diff.Added = append(diff.Added, after)
			case !sameItem(before.RosterItem, item):
				diff.Changed = append(diff.Changed, after)
			default:
				continue
			}
			if err := s.Put(ctx, after); err != nil {
				return err
			}
		}
		for _, contact := range known {
			if _, vanished := byJID[contact.JID]; !vanished || !contact.InRoster {
				continue
			}
			diff.Removed = append(diff.Removed, contact)
			contact.InRoster, contact.Subscription, contact.Ask = false, "none", ""
			if err := s.Put(ctx, contact); err != nil {
				return err
			}
		}
		return nil
	})
	return diff, err
}

func sameItem(a, b RosterItem) bool {
	if len(a.Groups) == 0 && len(b.Groups) == 0 {
		a.Groups, b.Groups = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// searchText is lower-cased here because SQLite only knows the letter case of ASCII.
func searchText(contact Contact) string {
	return strings.ToLower(strings.Join([]string{contact.Name, contact.Nick, contact.VCardName, contact.Email, contact.JID}, "\n"))
}

const selectContact = `
	SELECT login_id, jid, jid_as_sent, in_roster, name, subscription, ask, roster_groups, nick, vcard_name, email, photo_hash,
		avatar_mxc, vcard_fetched_at, vcard_error, updated_at
	FROM messenger_contact`

func scanContact(row dbutil.Scannable) (c Contact, err error) {
	var groups string
	var fetchedAt, updatedAt int64
	err = row.Scan(&c.LoginID, &c.JID, &c.JIDAsSent, &c.InRoster, &c.Name, &c.Subscription, &c.Ask, &groups, &c.Nick, &c.VCardName,
		&c.Email, &c.PhotoHash, &c.AvatarMXC, &fetchedAt, &c.VCardError, &updatedAt)
	if err != nil {
		return c, err
	}
	c.VCardFetchedAt, c.UpdatedAt = fromMillis(fetchedAt), fromMillis(updatedAt)
	if json.Unmarshal([]byte(groups), &c.Groups) != nil {
		c.Groups = nil // damaged; the next roster has them, and nothing else of a contact depends on them
	}
	return c, nil
}
