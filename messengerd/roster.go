package messengerd

import (
	"fmt"
	"slices"
	"strings"

	"mellium.im/xmpp/jid"
)

// Bounds of the roster.
const (
	rosterBound = 2000 // entries, pending invitations included
	nameBound   = 256  // bytes of a name or group
)

// item is one entry of a roster, or a pending invitation that is not yet one.
type item struct {
	jid    string // bare, as the service spells it
	name   string
	groups []string
	state  subState
	listed bool   // shown in the roster: a pending invitation alone is not
	dead   bool   // added by e-mail address: never shows presence (protocol, section 6.2)
	nick   string // of the pending invitation
	text   string // of the pending invitation
}

func (i *item) element() *element {
	e := el(nsRoster, "item", "jid", i.jid, "name", i.name, "subscription", i.state.subscription(), "ask", i.state.ask())
	for _, g := range i.groups {
		e.with(el(nsRoster, "group").withText(g))
	}
	return e
}

// item finds or makes an entry; a.mu is held. It is nil when the roster is full.
func (a *Account) item(bare string) *item {
	key := strings.ToLower(bare)
	if i := a.roster[key]; i != nil {
		return i
	}
	if len(a.roster) >= rosterBound {
		return nil
	}
	i := &item{jid: bare, state: stateN}
	a.roster[key] = i
	a.rosterOf = append(a.rosterOf, key)
	return i
}

// tidy removes an entry that says nothing any more; a.mu is held.
func (a *Account) tidy(i *item) {
	if key := strings.ToLower(i.jid); !i.listed && i.state == stateN && a.roster[key] == i {
		delete(a.roster, key)
		a.rosterOf = slices.DeleteFunc(a.rosterOf, func(k string) bool { return k == key })
	}
}

// setItem makes an entry as the configuration has it.
func (a *Account) setItem(bare, name string, groups []string, state subState, nick string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.item(bare); i != nil {
		i.name, i.groups, i.state, i.listed = name, groups, state, state != stateNI
		i.nick = nick
	}
}

// setItemIfNew is setItem for the other side of a configured contact, which
// may say more about it itself.
func (a *Account) setItemIfNew(bare, name string, state subState, nick string) {
	a.mu.Lock()
	_, known := a.roster[strings.ToLower(bare)]
	a.mu.Unlock()
	if !known {
		a.setItem(bare, name, nil, state, nick)
	}
}

// push sends a roster push to every resource that has fetched the roster; a.mu is held.
func (a *Account) push(e *element) {
	a.notify()
	form := a.srv.sw().IQFrom.Push
	for _, ses := range a.sessions {
		if !ses.hasRoster {
			continue
		}
		id := fmt.Sprintf("push%d", a.srv.ids.Add(1))
		from := a.srv.fromForm(form, ses)
		ses.send(el(nsClient, "iq", "type", "set", "id", id, "from", from, "to", ses.jid).with(el(nsRoster, "query").with(e)))
	}
	a.srv.changed()
}

// pushItem pushes an entry, if it is shown; a.mu is held.
func (a *Account) pushItem(i *item) {
	if i.listed {
		a.push(i.element())
	} else {
		a.notify()
		a.srv.changed()
	}
}

// rosterGet answers a roster request (protocol, section 13.4).
func (ses *session) rosterGet(iq *element) {
	a := ses.account
	a.mu.Lock()
	defer a.mu.Unlock()
	query := el(nsRoster, "query")
	for _, key := range a.rosterOf {
		if i := a.roster[key]; i.listed {
			query.with(i.element())
		}
	}
	ses.hasRoster = true
	// Under the lock, so that no push overtakes what it changes.
	ses.reply(iq, query)
}

// rosterSet is adding a contact, the only change there is (protocol, section 6.2).
func (ses *session) rosterSet(iq, query *element) {
	sw, a := ses.srv.sw(), ses.account
	if len(query.children) != 1 || !query.children[0].is(nsRoster, "item") {
		ses.refuse(iq, "bad-request")
		return
	}
	set := query.children[0]
	bare, groups, condition := ses.checkItem(set)
	switch {
	case condition != "":
		ses.refuse(iq, condition)
		return
	case strings.EqualFold(bare, a.jid):
		ses.refuse(iq, "not-allowed")
		return
	case sw.AddingContacts == "refused":
		ses.refuseRoster(iq)
		return
	case sw.AddingContacts == "set_without_effect":
		ses.reply(iq, nil)
		return
	}
	remove := set.attr("subscription") == "remove"
	a.mu.Lock()
	old := a.roster[strings.ToLower(bare)]
	present := old != nil && old.listed
	a.mu.Unlock()
	if remove || present {
		ses.changeItem(iq, set, bare, groups, remove, present)
		return
	}
	if !a.addItem(bare, set.attr("name"), groups) {
		ses.refuse(iq, "not-acceptable")
		return
	}
	ses.reply(iq, nil)
}

// addItem lists a contact; false when the roster is full.
func (a *Account) addItem(bare, name string, groups []string) bool {
	spelled, dead := bare, false
	if other := a.srv.Account(bare); other != nil {
		dead = !strings.EqualFold(other.jid, bare)
		if !dead {
			spelled = other.jid
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.item(spelled)
	if i == nil {
		return false
	}
	i.listed, i.name, i.groups, i.dead = true, name, groups, dead
	a.push(i.element())
	return true
}

// changeItem answers what the service does not support: removal and changes.
func (ses *session) changeItem(iq, set *element, bare string, groups []string, remove, present bool) {
	switch {
	case ses.srv.sw().RosterRefusal != "carried_out":
		ses.refuseRoster(iq)
	case remove && !present:
		ses.refuse(iq, "item-not-found")
	case remove:
		ses.account.Remove(bare)
		ses.reply(iq, nil)
	default:
		ses.account.rename(bare, set.attr("name"), groups)
		ses.reply(iq, nil)
	}
}

func (ses *session) refuseRoster(iq *element) {
	switch condition := ses.srv.sw().RosterRefusal; condition {
	case "silence":
	case "carried_out": // says how changes are answered, not additions
		ses.refuse(iq, "not-allowed")
	default:
		ses.refuse(iq, condition)
	}
}

// checkItem reads one item of a roster set.
func (ses *session) checkItem(set *element) (bare string, groups []string, condition string) {
	j, err := jid.Parse(set.attr("jid"))
	if err != nil || set.attr("jid") == "" {
		return "", nil, "bad-request"
	}
	bare, _, _ = strings.Cut(set.attr("jid"), "/")
	if j.Localpart() == "" {
		return "", nil, "bad-request"
	}
	if len(set.attr("name")) > nameBound {
		return "", nil, "not-acceptable"
	}
	for _, c := range set.children {
		if !c.is(nsRoster, "group") {
			continue
		}
		switch {
		case c.text == "" || len(c.text) > nameBound || len(groups) >= 32:
			return "", nil, "not-acceptable"
		case slices.Contains(groups, c.text):
			return "", nil, "bad-request"
		}
		groups = append(groups, c.text)
	}
	return bare, groups, ""
}
