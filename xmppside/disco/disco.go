// Package disco is the asking half of XEP-0030's disco#info: what an address says it is and can do
// (messenger-protocol.md 5.3, 13.9). The Messenger service lists it nowhere and may answer with an error or not at all;
// nothing may depend on it, and looking up a JID is tried even when its feature is missing.
//
// Not here: disco#items, forms (XEP-0128), and answering such requests.
package disco

import (
	"context"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/xmltext"
)

const (
	// NSInfo is the namespace of the info <query/>.
	NSInfo = "http://jabber.org/protocol/disco#info"
	// MaxEntries is how many features and how many identities of one answer are kept.
	MaxEntries = 500
	// MaxText is how many bytes of each of their values are kept.
	MaxText = 512
)

// Identity is what an entity says it is, such as category "server", type "im".
type Identity struct {
	Category string
	Type     string
	Name     string
}

// Info is an answer.
type Info struct {
	Identities []Identity
	Features   map[string]bool
}

// Has says whether the feature is listed.
func (i Info) Has(feature string) bool { return i.Features[feature] }

// Is says whether an identity of this category and type is listed.
func (i Info) Is(category, typ string) bool {
	for _, id := range i.Identities {
		if id.Category == category && id.Type == typ {
			return true
		}
	}
	return false
}

type query struct {
	Identities []struct {
		Category string `xml:"category,attr"`
		Type     string `xml:"type,attr"`
		Name     string `xml:"name,attr"`
	} `xml:"http://jabber.org/protocol/disco#info identity"`
	Features []struct {
		Var string `xml:"var,attr"`
	} `xml:"http://jabber.org/protocol/disco#info feature"`
}

// Fetch asks an address, such as the service's domain, for its info. A result without content is an Info that lists
// nothing.
func Fetch(ctx context.Context, r iq.Requester, to string) (Info, error) {
	var q query
	err := r.Request(ctx, iq.Request{Type: iq.Get, To: to, Payload: []byte(`<query xmlns="` + NSInfo + `"/>`)}, &q)
	if err != nil {
		return Info{}, err
	}
	return q.info(), nil
}

func (q query) info() Info {
	info := Info{Features: make(map[string]bool)}
	for _, id := range q.Identities {
		if len(info.Identities) >= MaxEntries {
			break
		}
		info.Identities = append(info.Identities, Identity{
			Category: xmltext.Cut(id.Category, MaxText), Type: xmltext.Cut(id.Type, MaxText), Name: xmltext.Line(id.Name, MaxText),
		})
	}
	for _, f := range q.Features {
		if len(info.Features) >= MaxEntries {
			break
		}
		if f.Var != "" && len(f.Var) <= MaxText {
			info.Features[f.Var] = true
		}
	}
	return info
}
