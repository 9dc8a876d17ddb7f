package messengerd

import "strings"

// invitation is what goes along with a subscribe: XEP-0172 nickname and a text.
type invitation struct{ nick, text string }

// byBareJID finds an account by its JID only: subscriptions and messages to an
// e-mail address lead nowhere.
func (s *Server) byBareJID(bare string) *Account {
	s.people.RLock()
	defer s.people.RUnlock()
	return s.byJID[strings.ToLower(bare)]
}

// subscribeOut acts on a subscription stanza of the account's own client by the
// outbound table. ordinary is set for the ordinary Messenger program, which may
// do what the gateway did not support. The result is false for a refused cell (†).
func (a *Account) subscribeOut(kind, to string, inv invitation, ordinary bool) bool {
	sw := a.srv.sw()
	other := a.srv.byBareJID(to)
	if other == a {
		return true
	}
	if other != nil {
		to = other.jid
	}
	a.mu.Lock()
	i := a.roster[strings.ToLower(to)]
	if i == nil && kind == "subscribe" {
		if i = a.item(to); i != nil {
			i.dead = other == nil && a.srv.Account(to) != nil
		}
	}
	if i == nil {
		a.mu.Unlock()
		return true // every cell of state N but subscribe changes nothing, or the roster is full
	}
	was := i.state
	rule := outbound[was][kind]
	if rule.refused && !ordinary && sw.RefusedPresence != "carried_out" {
		a.mu.Unlock()
		return false
	}
	if !rule.route {
		a.mu.Unlock()
		return true
	}
	if rule.next != "" {
		i.state = rule.next
	}
	if kind == "subscribed" && sw.MutualContacts && was.invited() {
		i.state = stateB
	}
	now, listed := i.state, i.listed
	switch kind {
	case "subscribe":
		i.listed = true
	case "subscribed":
		i.listed = true
		if i.name == "" && other != nil {
			i.name = other.Name()
		}
	}
	if was.invited() && !now.invited() {
		i.nick, i.text = "", ""
	}
	listed = i.listed && !listed
	a.mu.Unlock()

	if other != nil {
		other.subscribeIn(kind, a, inv)
	}
	a.mu.Lock()
	if i.state != was || listed {
		a.pushItem(i)
	}
	a.tidy(i)
	a.mu.Unlock()
	if other != nil {
		a.settle(other, was, now)
		if kind == "subscribe" && now != was {
			other.answerInvitation(a)
		}
	}
	return true
}

// settle sends presence between two accounts after a change on this side.
func (a *Account) settle(other *Account, was, now subState) {
	if !was.shows() && now.shows() {
		a.showTo(other, false)
	}
	if was.shows() && !now.shows() {
		a.showTo(other, true)
	}
	if !was.sees() && now.sees() {
		other.showTo(a, false)
	}
}

// subscribeIn acts on a subscription stanza from the other side by the inbound table.
func (a *Account) subscribeIn(kind string, from *Account, inv invitation) {
	sw := a.srv.sw()
	a.mu.Lock()
	i := a.roster[from.key]
	if i == nil && kind == "subscribe" {
		i = a.item(from.jid)
	}
	if i == nil {
		a.mu.Unlock()
		return
	}
	was := i.state
	rule := inbound[was][kind]
	if rule.reply {
		a.mu.Unlock()
		from.subscribeIn("subscribed", a, invitation{})
		return
	}
	if !rule.deliver {
		a.tidy(i)
		a.mu.Unlock()
		return
	}
	i.state = rule.next
	if kind == "subscribed" && sw.MutualContacts && was.ask() != "" {
		i.state = stateB
	}
	switch kind {
	case "subscribe":
		i.nick, i.text = inv.nick, inv.text
	case "subscribed":
		if i.name == "" {
			i.name = from.Name()
		}
	}
	now := i.state
	stanza := el(nsClient, "presence", "type", kind, "from", from.jid, "to", a.jid)
	if kind == "subscribe" {
		stanza = i.invitation(a.jid)
	}
	for _, ses := range a.sessions {
		if ses.show.known {
			ses.send(stanza)
		}
	}
	if kind != "subscribe" || i.listed {
		a.pushItem(i)
	}
	a.tidy(i)
	a.notify()
	a.srv.changed()
	a.mu.Unlock()
	if was.shows() && !now.shows() {
		a.showTo(from, true)
	}
	if !was.shows() && now.shows() { // mutual contacts: accepting shows both to each other
		a.showTo(from, false)
	}
}

// invitation is the stanza of a pending invitation (protocol, section 13.5).
func (i *item) invitation(to string) *element {
	e := el(nsClient, "presence", "type", "subscribe", "from", i.jid, "to", to).with(textChild("status", i.text))
	if i.nick != "" {
		e.with(el(nsNick, "nick").withText(i.nick))
	}
	return e
}

// answerInvitation lets the account's own program answer, if it is configured to.
func (a *Account) answerInvitation(from *Account) {
	switch a.invite {
	case "accept":
		a.Accept(from.jid)
	case "decline":
		a.Decline(from.jid)
	}
}

// handleSubscription acts on a subscription stanza of a client.
func (ses *session) handleSubscription(p *element, kind string) {
	sw, a := ses.srv.sw(), ses.account
	to, _, _ := strings.Cut(p.attr("to"), "/")
	if !strings.Contains(to, "@") {
		return // to the domain or nobody: ignored (RFC 6121, 8.5.1)
	}
	if (kind == "subscribe" || kind == "subscribed") && sw.AddingContacts == "refused" {
		ses.refusePresence(p)
		return
	}
	if kind == "subscribe" && sw.AddingContacts == "subscribe_without_effect" {
		return
	}
	inv := invitation{nick: p.childText(nsNick, "nick"), text: p.childText(nsClient, "status")}
	if inv.nick == "" {
		inv.nick = a.cfg.Name
	}
	if !a.subscribeOut(kind, to, inv, false) {
		ses.refusePresence(p)
	}
}

func (ses *session) refusePresence(p *element) {
	if ses.srv.sw().RefusedPresence != "error" {
		return
	}
	condition := ses.srv.sw().RosterRefusal
	if stanzaErrorType[condition] == "" {
		condition = "not-allowed"
	}
	ses.send(errorStanza(p, condition, ses.jid))
}
