package bridge

import (
	"context"
	"strings"
	"sync"

	"maunium.net/go/mautrix/bridgev2"
	"mellium.im/xmpp/jid"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/roster"
)

// people is who an account knows: the roster as the service keeps it, with what else was learned of a contact. The state is in the database.
type people struct {
	cl *Client

	pictures pictures
	worker   requestWorker
	rooms    roomMaker

	refresh sync.Mutex // held while ghosts are brought up to date, so that it happens once at a time

	mu      sync.Mutex          // held over what decides about requests
	waiting map[string]struct{} // people whose requests are undecided; nil until read
	// declining are the people whom the service is being told about as declined, with what they sent meanwhile.
	declining map[string]*xmppside.Subscription

	self     sync.Mutex
	nickname string // the own name, empty until known
}

func newPeople(cl *Client) *people {
	p := &people{cl: cl}
	p.pictures.p = p
	return p
}

// rosterLoaded makes the roster that came at sign-in the known one.
func (p *people) rosterLoaded(ctx context.Context, items []roster.Item) error {
	rows := make([]database.RosterItem, 0, len(items))
	for _, item := range items {
		rows = append(rows, rosterRow(item))
	}
	diff, err := p.cl.c.db.Contact.ReplaceRoster(ctx, p.cl.id(), rows)
	if err != nil {
		return err
	}
	p.changed(append(diff.Added, diff.Changed...))
	return p.rosterSettled(ctx, diff)
}

// rosterPush applies one change of the roster.
func (p *people) rosterPush(ctx context.Context, item roster.Item) error {
	row := rosterRow(item)
	var before database.Contact
	contact, changed, err := p.cl.c.db.Contact.Update(ctx, p.cl.id(), row.JID, func(c *database.Contact) {
		before = *c
		c.RosterItem, c.InRoster = row, !item.Removed()
		if item.Removed() {
			c.Name, c.Subscription, c.Ask = before.Name, string(roster.None), ""
		}
	})
	if err != nil || !changed {
		return err
	}
	p.changed([]database.Contact{contact})
	return p.contactChanged(ctx, before, contact)
}

func rosterRow(item roster.Item) database.RosterItem {
	row := database.RosterItem{
		JID: item.Key(), JIDAsSent: item.JID.String(), Name: item.Name, Subscription: string(item.Subscription), Groups: item.Groups,
	}
	if item.Ask {
		row.Ask = "subscribe"
	}
	return row
}

// relation is how the user and a contact stand to each other, for the rules of the roster.
func relation(c database.Contact) roster.Item {
	if !c.InRoster {
		return roster.Item{Subscription: roster.None}
	}
	return roster.Item{Subscription: roster.Subscription(c.Subscription), Ask: c.Ask != ""}
}

// isContact tells the contacts that Messenger's own programs list.
func isContact(c database.Contact) bool { return relation(c).IsContact() }

// isInvited tells contacts that were asked and have not answered.
func isInvited(c database.Contact) bool { return relation(c).Invited() }

// address is the bare JID of a chat as the service spells it.
func (p *people) address(ctx context.Context, chat string) (string, error) {
	contact, found, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), chat)
	if err != nil {
		return "", err
	}
	if found && contact.JIDAsSent != "" {
		return contact.JIDAsSent, nil
	}
	return chat, nil
}

// name is how a contact is called in sentences.
func (p *people) name(ctx context.Context, chat string) string {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), chat)
	if err != nil {
		contact = database.Contact{}
	}
	contact.JID = chat
	return plainName(contact)
}

// plainName is the first of roster name, vCard name, nickname and localpart that is not empty (messenger-protocol.md section 9).
func plainName(c database.Contact) string {
	if name := givenName(c); name != "" {
		return name
	}
	if j, err := jid.Parse(c.JID); err == nil && j.Localpart() != "" {
		return j.Localpart()
	}
	return c.JID
}

// privateName is how a contact is called towards the user alone: somebody without a name by the e-mail address that the user knows them by, for the localpart says nothing. It is not
// for ghosts or for what contacts read, since others have no business with that address.
func privateName(c database.Contact) string {
	if c.Email != "" && givenName(c) == "" {
		return c.Email
	}
	return plainName(c)
}

// givenName is what somebody called the contact, empty if nobody did.
func givenName(c database.Contact) string {
	for _, name := range []string{c.Name, c.VCardName, c.Nick} {
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return ""
}

// privateName is privateName of what is stored of a person.
func (p *people) privateName(ctx context.Context, who string) string {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), who)
	if err != nil {
		contact = database.Contact{}
	}
	contact.JID = who
	return privateName(contact)
}

// displayname is how a contact's ghost is called.
func (p *people) displayname(c database.Contact) string {
	spelled := c.JIDAsSent
	if spelled == "" {
		spelled = c.JID
	}
	return p.cl.c.Config.Displayname(config.Person{Name: plainName(c), JID: spelled, Email: c.Email})
}

// userInfo is what the framework shows of a contact, to everybody: a ghost belongs to all accounts that know the person. So the e-mail address is not in it; only the one who
// used it sees it.
func (p *people) userInfo(c database.Contact) *bridgev2.UserInfo {
	name := p.displayname(c)
	info := &bridgev2.UserInfo{Name: &name, Identifiers: []string{"xmpp:" + c.JID}}
	if c.PhotoHash != "" && c.AvatarMXC != "" {
		info.Avatar = avatar(c.PhotoHash, c, nil)
	}
	return info
}

// GetUserInfo implements bridgev2.NetworkAPI, from what is stored.
func (cl *Client) GetUserInfo(ctx context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	contact, _, err := cl.c.db.Contact.Get(ctx, cl.id(), string(ghost.ID))
	if err != nil {
		return nil, err
	}
	contact.JID = string(ghost.ID)
	// The ghost is about to be shown somewhere, perhaps for the first time.
	cl.people.pictures.want(contact.JID)
	cl.presence.show(contact.JID)
	return cl.people.userInfo(contact), nil
}
