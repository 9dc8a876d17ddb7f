package roster

import (
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/xmltext"
)

// NS is the namespace of <query/>.
const NS = "jabber:iq:roster"

// Bounds on what is kept of a list; a real one is far below them.
const (
	// MaxItems is how many items of one list are kept.
	MaxItems = 10_000
	// MaxName is how many bytes of a name or of a group's name are kept.
	MaxName = 1024
	// MaxGroups is how many groups of one item are kept.
	MaxGroups = 50
)

// Subscription says who sees whose presence.
type Subscription string

// The subscription states of an item (RFC 6121 2.1.2.5).
const (
	None   Subscription = "none"   // neither sees the other
	To     Subscription = "to"     // the user sees the contact
	From   Subscription = "from"   // the contact sees the user
	Both   Subscription = "both"   // both see each other
	Remove Subscription = "remove" // in a push: the item is gone
)

// Item is one entry of the list.
type Item struct {
	// JID is the bare JID; a resource that came with it is dropped.
	JID jid.JID
	// Raw is the JID as the service spelled it, for sending.
	Raw string
	// Name is the display name on one line, often empty.
	Name string
	// Subscription is one of the constants; a missing or unknown one is None.
	Subscription Subscription
	// Ask says that the user asked to become a contact and has no answer yet (ask='subscribe').
	Ask bool
	// Groups are the names of the groups, without repeats; Messenger has none.
	Groups []string
}

// Key is the identifier of the contact: the bare JID in lower case, as JIDs of the service are compared ignoring case
// (messenger-protocol.md 5.1).
func (i Item) Key() string { return strings.ToLower(i.JID.String()) }

// IsContact says whether the item is shown as a contact: the user sees its presence (messenger-protocol.md 6.1).
func (i Item) IsContact() bool { return i.Subscription == To || i.Subscription == Both }

// Invited says whether the user has asked this person and waits for the answer.
func (i Item) Invited() bool { return i.Ask && !i.IsContact() }

// Approves says that a request from this person is no invitation, and is answered "subscribed" without asking the user
// (messenger-protocol.md 6.3): there is a relation already, or the user asked first.
func (i Item) Approves() bool { return i.Ask || i.IsContact() || i.Subscription == From }

// Removed says that the push tells of an item that is gone.
func (i Item) Removed() bool { return i.Subscription == Remove }

// Query is the <query/> element of an answer or of a push, to be read with encoding/xml.
type Query struct {
	Elements []element `xml:"jabber:iq:roster item"`
}

type element struct {
	JID          string   `xml:"jid,attr"`
	Name         string   `xml:"name,attr"`
	Subscription string   `xml:"subscription,attr"`
	Ask          string   `xml:"ask,attr"`
	Groups       []string `xml:"jabber:iq:roster group"`
}

// ErrPush says that a push does not hold exactly one item that can be read; it is answered bad-request.
var ErrPush = errors.New("roster push without exactly one item")

// Push reads the item of a roster push.
func (q Query) Push() (Item, error) {
	if len(q.Elements) != 1 {
		return Item{}, fmt.Errorf("%w: %d items", ErrPush, len(q.Elements))
	}
	item, err := q.Elements[0].item(true)
	if err != nil {
		return Item{}, fmt.Errorf("%w: %w", ErrPush, err)
	}
	return item, nil
}

// List is a whole roster.
type List struct {
	// Items in the order they came, each contact once.
	Items []Item
	// Skipped is how many items could not be used: no valid JID, more than MaxItems.
	Skipped int
}

// List reads the items of a whole roster. An item that cannot be read is skipped, not fatal: one odd entry must not keep
// the user from all the others. Of two items for one contact the later one counts.
func (q Query) List() List {
	var list List
	at := make(map[string]int, min(len(q.Elements), MaxItems))
	for _, e := range q.Elements {
		item, err := e.item(false)
		if err != nil {
			list.Skipped++
			continue
		}
		key := item.Key()
		if i, ok := at[key]; ok {
			list.Items[i] = item
			continue
		}
		if len(list.Items) >= MaxItems {
			list.Skipped++
			continue
		}
		at[key] = len(list.Items)
		list.Items = append(list.Items, item)
	}
	return list
}

// item checks one element. "remove" has a meaning in pushes only.
func (e element) item(push bool) (Item, error) {
	address, err := jid.Parse(strings.TrimSpace(e.JID))
	if err != nil {
		return Item{}, err
	}
	item := Item{
		JID:          address.Bare(),
		Raw:          bareText(strings.TrimSpace(e.JID)),
		Name:         xmltext.Line(e.Name, MaxName),
		Subscription: None,
		Ask:          strings.TrimSpace(e.Ask) == "subscribe",
	}
	switch s := Subscription(strings.TrimSpace(e.Subscription)); s {
	case To, From, Both:
		item.Subscription = s
	case Remove:
		if push {
			item.Subscription = s
		}
	}
	seen := make(map[string]bool)
	for _, name := range e.Groups {
		name = xmltext.Line(name, MaxName)
		if name == "" || seen[name] || len(item.Groups) >= MaxGroups {
			continue
		}
		seen[name] = true
		item.Groups = append(item.Groups, name)
	}
	return item, nil
}

// bareText drops the resource from a JID in its original spelling.
func bareText(s string) string {
	bare, _, _ := strings.Cut(s, "/")
	return bare
}
