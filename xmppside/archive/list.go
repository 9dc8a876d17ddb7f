package archive

import (
	"context"
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/xmltext"
)

const (
	// MaxListed is how many chats List gives at most.
	MaxListed = 2000
	// maxPages bounds the requests of one List.
	maxPages = 20
)

// Conversation is somebody with whom there are archived messages.
type Conversation struct {
	With jid.JID // bare
	// Start is when the latest collection began, zero when the service does not say.
	Start time.Time
}

// List asks with whom there are archived messages; each contact is named once, the one with the latest collection first.
// All forms of "nothing there" give an empty list; iq.Refused tells a service without lists.
func List(ctx context.Context, r iq.Requester) ([]Conversation, error) {
	latest := make(map[string]int)
	var found []Conversation
	after, seen := "", make(map[string]bool)
	for page := range maxPages {
		var a answer
		err := r.Request(ctx, iq.Request{Type: iq.Get, Payload: appendList(nil, after)}, &a)
		switch {
		case err != nil && page > 0:
			// What is known already is better than nothing.
			return sorted(found), nil
		case iq.IsError(err, stanza.ItemNotFound):
			return nil, nil
		case err != nil:
			return nil, err
		}
		if a.is("list") {
			for _, c := range a.Chats {
				with, err := jid.Parse(strings.TrimSpace(c.With))
				if err != nil || with.Localpart() == "" {
					continue
				}
				key := strings.ToLower(with.Bare().String())
				i, ok := latest[key]
				switch {
				case !ok && len(found) < MaxListed:
					latest[key] = len(found)
					found = append(found, Conversation{With: with.Bare(), Start: c.at()})
				case ok && c.at().After(found[i].Start):
					found[i].Start = c.at()
				}
			}
		}
		_, more := a.Paging.missing(len(a.Chats))
		// The Messenger service ignores paging: the same end again is the first page again.
		if !more || a.Paging.Last == "" || seen[a.Paging.Last] {
			break
		}
		after = a.Paging.Last
		seen[after] = true
	}
	return sorted(found), nil
}

func sorted(list []Conversation) []Conversation {
	slices.SortStableFunc(list, func(a, b Conversation) int { return b.Start.Compare(a.Start) })
	return list
}

// appendList writes the request: without paging at first, as the Messenger service has it.
func appendList(b []byte, after string) []byte {
	if after == "" {
		return append(b, `<list xmlns="`+NS+`"/>`...)
	}
	b = append(b, `<list xmlns="`+NS+`"><set xmlns="`+NSPaging+`"><max>100</max>`...)
	b = xmltext.AppendElement(b, "after", after)
	return append(b, "</set></list>"...)
}
