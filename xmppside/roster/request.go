package roster

import (
	"context"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/xmltext"
)

// FetchRequest asks for the whole roster. Its answer is read into a Query; one without a list counts as an empty
// roster.
func FetchRequest() iq.Request {
	return iq.Request{Type: iq.Get, Payload: []byte(`<query xmlns="` + NS + `"/>`)}
}

// Add puts a contact on the list, by JID; an e-mail address has to be looked up first (jidlookup), since a contact added
// by e-mail never shows presence. It is one half of adding: the subscribe request (presence.AppendSubscription) is the
// other, to be sent whether or not this one succeeds, as an error here is not fatal (messenger-protocol.md 6.2).
//
// iq.Refused tells a service that allows no change; a service may also pretend success and never push the item.
func Add(ctx context.Context, r iq.Requester, contact jid.JID, name string) error {
	return r.Request(ctx, iq.Request{Type: iq.Set, Payload: appendAdd(nil, contact, name)}, nil)
}

func appendAdd(b []byte, contact jid.JID, name string) []byte {
	b = append(b, `<query xmlns="`+NS+`"><item`...)
	b = xmltext.AppendAttr(b, "jid", contact.Bare().String())
	if name = xmltext.Line(name, MaxName); name != "" {
		b = xmltext.AppendAttr(b, "name", name)
	}
	return append(b, "/></query>"...)
}
