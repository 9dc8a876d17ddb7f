package messengerd

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// receivedBound is how many received messages an account's program remembers.
const receivedBound = 10_000

// Received is a message that an account's own Messenger program was given.
type Received struct {
	Seq  int       `json:"seq"`  // 1 for the first one ever
	From string    `json:"from"` // full JID
	Body string    `json:"body"`
	ID   string    `json:"id"` // the stanza's, possibly empty
	Time time.Time `json:"time"`
}

// program is an account's ordinary Messenger program: a virtual endpoint inside
// the service. It is guarded by the account's mu.
type program struct {
	resource string
	state    string // available, busy, away, invisible, offline
	presence presence
	received []Received
	count    int
	typing   map[string]string // last chat state by bare JID
	events   chan Received     // for the behaviour, nil without one
}

func (p *program) init(cfg *AccountConfig) {
	state := cfg.Presence
	if state == "" {
		state = "offline"
		if cfg.Contact {
			state = "available"
		}
	}
	p.resource = guid()
	p.state = state
	p.presence, _ = programPresence(state, cfg.Status)
	p.typing = map[string]string{}
	if cfg.Behaviour != "" && cfg.Behaviour != "none" {
		p.events = make(chan Received, 256)
	}
}

// reachable says whether the program gets messages: invisible ones do.
func (p *program) reachable() bool { return p.state != "offline" }

// programPresence maps Messenger's states to presence (protocol, section 8).
func programPresence(state, status string) (presence, bool) {
	p := presence{known: true, online: true, status: status}
	switch state {
	case "available":
	case "busy":
		p.show = "dnd"
	case "away":
		p.show = "away"
	case "invisible", "offline":
		p.online = false
	default:
		return presence{}, false
	}
	return p, true
}

func (a *Account) programJID() string { return a.jid + "/" + a.program.resource }

// ProgramJID is the full JID of the account's own program.
func (a *Account) ProgramJID() string { return a.programJID() }

// programReceives notes a message; a.mu is held.
func (a *Account) programReceives(m storedMessage) {
	p := &a.program
	p.count++
	r := Received{Seq: p.count, From: m.From, Body: m.Body, ID: m.ID, Time: m.Stamp}
	p.received = append(p.received, r)
	if len(p.received) > receivedBound {
		p.received = append([]Received(nil), p.received[len(p.received)-receivedBound/2:]...)
	}
	a.notify()
	if p.events != nil {
		select {
		case p.events <- r:
		default: // a behaviour that cannot keep up misses messages, the record does not
		}
	}
}

// programSeesTyping notes a chat state; a.mu is held.
func (a *Account) programSeesTyping(from, state string) {
	if len(a.program.typing) >= rosterBound {
		clear(a.program.typing)
	}
	a.program.typing[bareOf(from)] = state
	a.notify()
}

// Typing is the last chat state that a contact's client sent to this account's
// program; "" for none.
func (a *Account) Typing(from string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.program.typing[bareOf(a.srv.resolve(from))]
}

// Received are the messages given to the account's program, oldest first; the
// latest 5,000 at least.
func (a *Account) Received() []Received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Received(nil), a.program.received...)
}

// WaitReceived waits until n messages have arrived in all, and gives those kept.
func (a *Account) WaitReceived(ctx context.Context, n int) ([]Received, error) {
	count := 0
	err := a.Wait(ctx, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		count = a.program.count
		return count >= n
	})
	if err != nil {
		err = fmt.Errorf("%d of %d messages arrived: %w", count, n, err)
	}
	return a.Received(), err
}

// resolve turns an e-mail address of an account into its JID.
func (s *Server) resolve(id string) string {
	if a := s.Account(id); a != nil {
		return a.jid
	}
	return id
}

// SendMessage sends a message from the account's own program (of a user's own
// account: from another Messenger client of theirs, which the user's sessions
// only see in the archive). to is an e-mail address, a bare or a full JID.
func (a *Account) SendMessage(to, body string) error {
	if !validText(body) {
		return errors.New("the text holds characters that XML does not allow")
	}
	if other := a.srv.byMailOnly(to); other != nil {
		to = other.jid
	}
	m := storedMessage{From: a.programJID(), Body: body, Stamp: a.srv.now()}
	if condition := a.srv.deliver(a, to, m); condition != "" {
		return fmt.Errorf("message from %s to %s: %s", a.jid, to, condition)
	}
	return nil
}

// SetTyping sends a chat state: active, composing, paused, inactive or gone.
func (a *Account) SetTyping(to, state string) error {
	switch state {
	case "active", "composing", "paused", "inactive", "gone":
		a.srv.passState(a.programJID(), a.srv.resolve(to), state)
		return nil
	default:
		return fmt.Errorf("%q is not a chat state", state)
	}
}

// SetPresence changes what the account's own program shows: available, busy,
// away, invisible or offline, with a personal message.
func (a *Account) SetPresence(state, status string) error {
	p, ok := programPresence(state, status)
	if !ok {
		return fmt.Errorf("%q is not available, busy, away, invisible or offline", state)
	}
	a.broadcast.Lock()
	defer a.broadcast.Unlock()
	a.mu.Lock()
	was := a.program.presence
	a.program.state, a.program.presence = state, p
	if a.program.reachable() {
		waiting := a.offline
		a.offline = nil
		for _, m := range waiting {
			a.programReceives(m)
		}
	}
	a.mu.Unlock()
	if p.online || was.online {
		a.tellContacts(a.programJID(), p, nil)
	}
	a.srv.changed()
	return nil
}

// Invite asks somebody to become a contact; nick and text go along.
func (a *Account) Invite(to, nick, text string) {
	if nick == "" {
		nick = a.Name()
	}
	a.subscribeOut("subscribe", a.srv.resolve(to), invitation{nick: nick, text: text}, true)
}

// Accept accepts an invitation.
func (a *Account) Accept(from string) {
	from = a.srv.resolve(from)
	a.subscribeOut("subscribed", from, invitation{}, true)
	if !a.srv.sw().MutualContacts {
		a.subscribeOut("subscribe", from, invitation{nick: a.Name()}, true)
	}
}

// Decline declines an invitation.
func (a *Account) Decline(from string) {
	a.subscribeOut("unsubscribed", a.srv.resolve(from), invitation{}, true)
}

// Remove ends the relation with a contact on both sides and takes it out of the
// own roster.
func (a *Account) Remove(contact string) {
	contact = a.srv.resolve(contact)
	a.subscribeOut("unsubscribe", contact, invitation{}, true)
	a.subscribeOut("unsubscribed", contact, invitation{}, true)
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.roster[lower(contact)]
	if i == nil || !i.listed {
		return
	}
	i.listed = false
	a.push(el(nsRoster, "item", "jid", i.jid, "subscription", "remove"))
	a.tidy(i)
}

// Rename changes a contact's name in the account's roster.
func (a *Account) Rename(contact, name string) {
	contact = a.srv.resolve(contact)
	a.mu.Lock()
	var groups []string
	if i := a.roster[lower(contact)]; i != nil {
		groups = i.groups
	}
	a.mu.Unlock()
	a.rename(contact, name, groups)
}

func (a *Account) rename(contact, name string, groups []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.roster[lower(contact)]; i != nil && i.listed {
		i.name, i.groups = name, groups
		a.push(i.element())
	}
}

// Contact is one entry of an account's roster.
type Contact struct {
	JID          string `json:"jid"`
	Name         string `json:"name,omitempty"`
	Subscription string `json:"subscription"`
	Ask          string `json:"ask,omitempty"`
	Invites      bool   `json:"invites,omitempty"` // their invitation waits for an answer
}

// Contacts are the account's roster and the invitations that wait for it.
func (a *Account) Contacts() []Contact {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]Contact, 0, len(a.rosterOf))
	for _, key := range a.rosterOf {
		i := a.roster[key]
		list = append(list, Contact{JID: i.jid, Name: i.name, Subscription: i.state.subscription(), Ask: i.state.ask(), Invites: i.state.invited()})
	}
	return list
}
