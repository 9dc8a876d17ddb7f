package messengerd

import (
	"strconv"
	"strings"
)

// handlePresence acts on a presence stanza of a client (protocol, section 8).
func (ses *session) handlePresence(p *element) error {
	switch kind := p.attr("type"); kind {
	case "", "unavailable":
		if p.attr("to") != "" {
			return nil // directed presence: nothing is known of it
		}
		ses.setPresence(readPresence(p))
		return ses.redirect("signed_in")
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
		ses.handleSubscription(p, kind)
	case "probe":
		if ses.srv.sw().Presence.Probe != "ignored" {
			ses.send(errorStanza(p, ses.srv.sw().Presence.Probe, ses.jid))
		}
	}
	return nil
}

func readPresence(p *element) presence {
	r := presence{known: true, online: p.attr("type") == "", status: p.childText(nsClient, "status")}
	switch show := strings.TrimSpace(p.childText(nsClient, "show")); show {
	case "away", "chat", "dnd", "xa":
		r.show = show
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(p.childText(nsClient, "priority")), 10, 8); err == nil {
		r.priority = int(n)
	}
	if !r.online {
		r.show, r.priority = "", 0
	}
	return r
}

// active says whether the resource takes part: it is online, or invisible and
// the switch lets invisible streams receive. account.mu is held.
func (ses *session) active() bool {
	return ses.show.online || (ses.show.known && ses.srv.sw().Presence.Invisible == "receives")
}

// setPresence changes what the resource shows, tells the contacts, and on the
// first presence hands over what has waited for it.
func (ses *session) setPresence(p presence) {
	a := ses.account
	a.broadcast.Lock()
	defer a.broadcast.Unlock()
	a.mu.Lock()
	was, began := ses.show, ses.active()
	if !ses.bound {
		a.mu.Unlock()
		return // replaced in the meantime
	}
	ses.show = p
	begins := !began && ses.active()
	if !ses.active() {
		ses.receives = false
	}
	a.notify()
	a.mu.Unlock()
	if begins {
		a.introduce(ses)
	}
	if p.online || was.online {
		a.tellContacts(ses.jid, p, ses)
	}
	if begins {
		a.handOver(ses)
	}
}

// introduce sends the presence of the contacts that the user may see.
func (a *Account) introduce(ses *session) {
	for _, c := range a.contacts(subState.sees) {
		c.mu.Lock()
		for _, r := range c.resources() {
			if r.p.online {
				ses.send(r.p.element().set("from", r.jid).set("to", ses.jid))
			}
		}
		c.mu.Unlock()
	}
	if a.srv.sw().Presence.Own == "sent" {
		a.mu.Lock()
		for _, r := range a.resources() {
			if r.p.online && r.jid != ses.jid {
				ses.send(r.p.element().set("from", r.jid).set("to", ses.jid))
			}
		}
		a.mu.Unlock()
	}
}

// handOver sends what has waited: invitations, then messages. From here on the
// resource gets new messages, so that they come after the stored ones.
func (a *Account) handOver(ses *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range a.rosterOf {
		if i := a.roster[key]; i.state.invited() {
			ses.send(i.invitation(a.jid))
		}
	}
	ses.receives = true
	a.notify()
	if ses.show.priority >= 0 {
		a.flushOffline(ses)
	}
}

// resource is a sender of presence: a session or the account's own program.
type resource struct {
	jid string
	p   presence
}

// resources lists them; a.mu is held.
func (a *Account) resources() []resource {
	list := make([]resource, 0, len(a.sessions)+1)
	for _, ses := range a.sessions {
		list = append(list, resource{ses.jid, ses.show})
	}
	if a.program.presence.online {
		list = append(list, resource{a.programJID(), a.program.presence})
	}
	return list
}

// contacts are the accounts whose entries have a state for which want is true.
func (a *Account) contacts(want func(subState) bool) []*Account {
	a.mu.Lock()
	keys := make([]string, 0, len(a.rosterOf))
	for _, key := range a.rosterOf {
		if i := a.roster[key]; want(i.state) && !i.dead {
			keys = append(keys, key)
		}
	}
	a.mu.Unlock()
	list := make([]*Account, 0, len(keys))
	a.srv.people.RLock()
	defer a.srv.people.RUnlock()
	for _, key := range keys {
		if c := a.srv.byJID[key]; c != nil {
			list = append(list, c)
		}
	}
	return list
}

// tellContacts sends a presence of one resource to everyone who may see it, and
// back to the own resources. a.broadcast is held.
func (a *Account) tellContacts(from string, p presence, self *session) {
	e := p.element().set("from", from)
	for _, c := range a.contacts(subState.shows) {
		c.presenceFrom(a, e)
	}
	if a.srv.sw().Presence.Own != "sent" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ses := range a.sessions {
		if ses.active() || ses == self {
			ses.send(e.set("to", ses.jid))
		}
	}
}

// presenceFrom delivers a contact's presence.
func (a *Account) presenceFrom(from *Account, e *element) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.roster[from.key]; i == nil || !i.state.sees() {
		// The table of the other side lets it send, ours does not let us see:
		// an unavailable still has to arrive when the state has just changed.
		if e.attr("type") != "unavailable" {
			return
		}
	}
	for _, ses := range a.sessions {
		if ses.active() {
			ses.send(e.set("to", ses.jid))
		}
	}
}

// showTo sends the presence of all own resources to one contact, or that they
// are gone.
func (a *Account) showTo(other *Account, gone bool) {
	a.broadcast.Lock()
	defer a.broadcast.Unlock()
	a.mu.Lock()
	list := a.resources()
	a.mu.Unlock()
	for _, r := range list {
		if !r.p.online {
			continue
		}
		p := r.p
		if gone {
			p = presence{}
		}
		other.presenceFrom(a, p.element().set("from", r.jid))
	}
}
