package messengerd

import (
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

// offlineBound is how many messages are stored for one account.
const offlineBound = 2000

// storedMessage is a message that waits for its recipient, or could come to.
type storedMessage struct {
	From  string    `json:"from"` // full JID of the sender
	ID    string    `json:"id,omitempty"`
	Body  string    `json:"body"`
	Nick  string    `json:"nick,omitempty"`
	Stamp time.Time `json:"stamp"`
	state string    // chat state sent along with the body
}

// element is the stanza of a message.
func (m *storedMessage) element(to string) *element {
	e := el(nsClient, "message", "type", "chat", "id", m.ID, "from", m.From, "to", to)
	e.with(el(nsClient, "body").withText(m.Body))
	if m.state != "" {
		e.with(el(nsChatState, m.state))
	}
	if m.Nick != "" {
		e.with(el(nsNick, "nick").withText(m.Nick))
	}
	return e
}

// handleMessage acts on a message of a client (protocol, section 11).
func (ses *session) handleMessage(m *element) {
	sw := ses.srv.sw()
	switch m.attr("type") {
	case "chat":
	case "error":
		return
	default:
		if sw.Messages.OtherTypes == "feature-not-implemented" {
			ses.send(errorStanza(m, "feature-not-implemented", ses.jid))
		}
		return
	}
	to := m.attr("to")
	if to == "" {
		to = ses.account.jid
	}
	if _, err := jid.Parse(to); err != nil {
		ses.send(errorStanza(m, "jid-malformed", ses.jid))
		return
	}
	body, state := m.child(nsClient, "body"), chatState(m)
	if body == nil {
		if state != "" && sw.Messages.ChatStates == "passed_on" {
			ses.srv.passState(ses.jid, to, state)
		}
		return
	}
	if sw.Faults.MessageError != "" {
		ses.send(errorStanza(m, sw.Faults.MessageError, ses.jid))
		return
	}
	if sw.Messages.ChatStates != "passed_on" {
		state = ""
	}
	msg := storedMessage{
		From: ses.jid, ID: m.attr("id"), Body: body.text, Nick: m.childText(nsNick, "nick"),
		Stamp: ses.srv.now(), state: state,
	}
	if condition := ses.srv.deliver(ses.account, to, msg); condition != "" {
		ses.send(errorStanza(m, condition, ses.jid))
	}
}

func chatState(m *element) string {
	for _, c := range m.children {
		if c.space == nsChatState {
			switch c.name {
			case "active", "composing", "paused", "inactive", "gone":
				return c.name
			}
		}
	}
	return ""
}

// deliver archives a message and gives it to the recipient; the result is the
// condition of the error that answers it, or "".
func (s *Server) deliver(from *Account, to string, m storedMessage) string {
	bare, resource, _ := strings.Cut(to, "/")
	_, domain, found := strings.Cut(bare, "@")
	switch {
	case !found:
		return "service-unavailable" // the domain itself does not chat
	case !strings.EqualFold(domain, s.domain):
		return "remote-server-not-found"
	}
	b := s.byBareJID(bare)
	if b == nil {
		return "service-unavailable"
	}
	if !b.receive(m, resource) {
		return "service-unavailable" // the store is full (XEP-0160)
	}
	s.archiveMessage(from, b, m.Body, m.Stamp)
	return ""
}

// receive hands a message to the account's resources, or stores it.
func (a *Account) receive(m storedMessage, resource string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := false
	if resource != "" {
		if ses := a.sessions[resource]; ses != nil && ses.receives && ses.active() {
			taken = ses.sendItem(m.element(ses.jid), &m)
		} else if resource == a.program.resource && a.program.reachable() {
			a.programReceives(m)
			taken = true
		}
	}
	if !taken { // to the bare JID, or to a resource that is gone (RFC 6121, 8.5.3.2.1)
		taken = a.receiveBare(m)
	}
	if taken {
		return true
	}
	if len(a.offline) >= offlineBound {
		return false
	}
	a.offline = append(a.offline, m)
	a.srv.changed()
	return true
}

// receiveBare gives a message to every resource that takes part; a.mu is held. What the account's own program has is not stored again when a session breaks before it could be written.
func (a *Account) receiveBare(m storedMessage) bool {
	taken := a.program.reachable()
	if taken {
		a.programReceives(m)
	}
	for _, ses := range a.sessions {
		if ses.receives && ses.active() && ses.show.priority >= 0 {
			// Only one copy is put back if it cannot be written.
			keep := &m
			if taken {
				keep = nil
			}
			if ses.sendItem(m.element(a.jid), keep) {
				taken = true
			}
		}
	}
	return taken
}

// flushOffline hands the stored messages to a session; a.mu is held.
func (a *Account) flushOffline(ses *session) {
	for i := range a.offline {
		m := a.offline[i]
		if !ses.sendItem(a.srv.delayed(m.element(a.jid), m.Stamp), &m) {
			a.offline = a.offline[i:]
			return
		}
	}
	if len(a.offline) > 0 {
		a.srv.changed()
	}
	a.offline = nil
}

// delayed marks a stored message (XEP-0203).
func (s *Server) delayed(e *element, stamp time.Time) *element {
	return e.with(el(nsDelay, "delay", "from", s.domain, "stamp", stampOf(stamp)).withText("Offline Storage"))
}

// stampOf writes a time as XEP-0082 has it, in UTC and whole seconds.
func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// giveBack stores messages that a session could not write, before anything
// stored since, or hands them to another session.
func (a *Account) giveBack(list []storedMessage) {
	if len(list) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offline = append(list, a.offline...)
	for _, ses := range a.sessions {
		if ses.receives && ses.active() && ses.show.priority >= 0 {
			a.flushOffline(ses)
			break
		}
	}
	a.srv.changed()
}

// passState passes a chat state on to resources that are there (XEP-0085).
func (s *Server) passState(from, to, state string) {
	bare, resource, _ := strings.Cut(to, "/")
	b := s.byBareJID(bare)
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ses := range b.sessions {
		if (resource == "" || resource == ses.resource) && ses.receives && ses.active() {
			ses.send(el(nsClient, "message", "type", "chat", "from", from, "to", to).with(el(nsChatState, state)))
		}
	}
	if (resource == "" || resource == b.program.resource) && b.program.reachable() {
		b.programSeesTyping(from, state)
	}
}
