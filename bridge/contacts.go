package bridge

import (
	"context"
	"slices"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"matrix-messenger/database"
	wire "matrix-messenger/xmppside/presence"
)

// The account's contacts, as the bot's commands and the provisioning API show them.

var (
	_ bridgev2.ContactListingNetworkAPI = (*Client)(nil)
	_ bridgev2.UserSearchingNetworkAPI  = (*Client)(nil)
)

// searchLimit bounds the answer to a search.
const searchLimit = 50

// GetContactList implements bridgev2.ContactListingNetworkAPI: contacts, and people who were asked and have not answered.
func (cl *Client) GetContactList(ctx context.Context) ([]*bridgev2.ResolveIdentifierResponse, error) {
	contacts, err := cl.people.listed(ctx)
	if err != nil {
		return nil, err
	}
	answers, err := cl.people.identified(ctx, contacts)
	if err != nil {
		return nil, err
	}
	for i, contact := range contacts {
		if contact.Email != "" {
			answers[i].UserInfo.Identifiers = append(answers[i].UserInfo.Identifiers, "mailto:"+contact.Email)
		}
	}
	return answers, nil
}

// SearchUsers implements bridgev2.UserSearchingNetworkAPI, in the name, nickname, address and JID of the people the account knows. The service itself has no search.
func (cl *Client) SearchUsers(ctx context.Context, query string) ([]*bridgev2.ResolveIdentifierResponse, error) {
	query = strings.TrimSpace(query)
	if query == "" {
		return nil, nil
	}
	contacts, err := cl.c.db.Contact.Search(ctx, cl.id(), query, searchLimit)
	if err != nil {
		return nil, err
	}
	contacts = slices.DeleteFunc(contacts, func(c database.Contact) bool { return c.JID == cl.id() })
	return cl.people.identified(ctx, contacts)
}

// identified is what the framework answers about contacts. Ghosts are not made for it.
func (p *people) identified(ctx context.Context, contacts []database.Contact) ([]*bridgev2.ResolveIdentifierResponse, error) {
	answers := make([]*bridgev2.ResolveIdentifierResponse, 0, len(contacts))
	for _, contact := range contacts {
		answer, err := p.identify(ctx, contact)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func (p *people) identify(ctx context.Context, contact database.Contact) (*bridgev2.ResolveIdentifierResponse, error) {
	answer := &bridgev2.ResolveIdentifierResponse{UserID: networkid.UserID(contact.JID), UserInfo: p.userInfo(contact)}
	stored, err := p.cl.c.br.DB.Ghost.GetByID(ctx, networkid.UserID(contact.JID))
	if err != nil {
		return nil, err
	}
	if stored != nil {
		if answer.Ghost, err = p.cl.c.br.GetExistingGhostByID(ctx, networkid.UserID(contact.JID)); err != nil {
			return nil, err
		}
	}
	room, err := p.roomOf(ctx, contact.JID)
	if err != nil {
		return nil, err
	}
	if room != "" {
		answer.Chat = &bridgev2.CreateChatResponse{PortalKey: portalKey(p.cl.login.ID, contact.JID)}
	}
	return answer, nil
}

// listed are the account's contacts and the people it has asked, by name.
func (p *people) listed(ctx context.Context) ([]database.Contact, error) {
	all, err := p.cl.c.db.Contact.List(ctx, p.cl.id())
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c database.Contact) bool { return !isContact(c) && !isInvited(c) })
	slices.SortStableFunc(all, func(a, b database.Contact) int {
		return strings.Compare(strings.ToLower(privateName(a)), strings.ToLower(privateName(b)))
	})
	return all, nil
}

// stateOf says in a word or two how a contact is.
func (p *people) stateOf(c database.Contact) string {
	if isInvited(c) {
		return "invited"
	}
	if !isContact(c) {
		return "not a contact"
	}
	if p.cl.session() == nil {
		return "unknown"
	}
	return stateWord(p.cl.presence.of(c.JID))
}

// stateWord is a presence in the words of the command `presence`.
func stateWord(state wire.State) string {
	if !state.Available {
		return "offline"
	}
	switch state.Show {
	case wire.DND:
		return "busy"
	case wire.Away, wire.XA:
		return "away"
	}
	return "available"
}

// oneLine is a name as it can stand in a list.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
