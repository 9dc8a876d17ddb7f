package bridge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"

	"matrix-messenger/database"
)

// candidate is somebody whom <who> in a command may mean.
type candidate struct {
	client *Client
	jid    string
	name   string
	email  string
}

// told is an error that is a sentence for the user, as it stands.
func told(sentence string, args ...any) error { return spoken(fmt.Sprintf(sentence, args...)) }

type spoken string

func (s spoken) Error() string { return string(s) }

// means tells whether the text names the candidate: by JID, e-mail address or name, in any letter case.
func (c candidate) means(text string) bool {
	return strings.EqualFold(c.jid, text) || c.email != "" && strings.EqualFold(c.email, text) || strings.EqualFold(oneLine(c.name), oneLine(text))
}

// resembles tells whether the text consists of whole words of the candidate's name, in any letter case: a first name, say.
func (c candidate) resembles(text string) bool {
	name := strings.Fields(strings.ToLower(c.name))
	words := strings.Fields(strings.ToLower(text))
	return len(words) > 0 && !slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(name, word) })
}

// who finds the one candidate that a command means. Without a text it is the contact of the room, if the command was written in one. The error is a sentence for the user.
func who(ce *commands.Event, all []candidate, text, kind string) (candidate, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "xmpp:")
	if text == "" && ce.Portal != nil {
		text = string(ce.Portal.ID)
	}
	if text == "" {
		return candidate{}, told("Please say whom you mean: a "+service+" address, an e-mail address, or a name that only one person has, for example `%s someone@example.com`.", ce.Command)
	}
	var found, similar []candidate
	for _, c := range all {
		if c.means(text) {
			found = append(found, c)
		} else if c.resembles(text) {
			similar = append(similar, c)
		}
	}
	if len(found) == 0 {
		found = similar
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return candidate{}, told("There is no %s called “%s”. Please use the address or the name as the list shows it.", kind, clip(oneLine(text), 100))
	}
	lines := make([]string, len(found))
	for i, c := range found {
		lines[i] = oneLine(c.name) + " — " + c.jid + " (account " + c.client.id() + ")"
	}
	return candidate{}, told("“%s” may mean any of these; please use the address, and put the account before it if that is not enough:\n%s", clip(oneLine(text), 100), strings.Join(lines, "\n"))
}

// askers are the people whose requests the user can answer.
func (p *people) askers(ctx context.Context) ([]candidate, error) {
	rows, err := p.cl.c.db.Request.List(ctx, p.cl.id(), database.RequestIn, database.RequestPending)
	if err != nil {
		return nil, err
	}
	all := make([]candidate, len(rows))
	for i, row := range rows {
		contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), row.JID)
		if err != nil {
			return nil, err
		}
		contact.JID = row.JID
		if contact.Nick == "" {
			contact.Nick = row.Nick
		}
		all[i] = candidate{client: p.cl, jid: row.JID, name: privateName(contact), email: contact.Email}
	}
	return all, nil
}

// known are all people of the account whom a command can mean.
func (p *people) known(ctx context.Context) ([]candidate, error) {
	contacts, err := p.cl.c.db.Contact.List(ctx, p.cl.id())
	if err != nil {
		return nil, err
	}
	all := make([]candidate, 0, len(contacts))
	for _, c := range contacts {
		if c.JID != p.cl.id() {
			all = append(all, candidate{client: p.cl, jid: c.JID, name: privateName(c), email: c.Email})
		}
	}
	return all, nil
}
