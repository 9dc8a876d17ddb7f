package bridge

import (
	"context"
	"strings"
	"sync"
	"time"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	wire "matrix-messenger/xmppside/presence"
)

// presence is the account's own state at the service (presence_own.go), and what is known of its contacts (this file). What the ghosts show in Matrix is shared by all
// accounts and kept by the presencePacer.
//
// A contact who is offline takes no memory here: an idle account has ten thousand neighbours. There is no goroutine, and at most one timer, of an account.
type presence struct {
	cl *Client

	own ownPresence

	mu       sync.Mutex
	contacts presenceBook
	online   bool        // a session is up
	fading   *time.Timer // runs until what is stale is dropped
}

const (
	// presenceSettle is how long a new session has time to bring fresh presences before stale ones are dropped. The service only tells of who is online, so nobody ever says that somebody
	// went offline while the session was down.
	presenceSettle = 20 * time.Second
	// maxPresences bounds how many people's presence is kept, against a service that tells of more than the roster can hold.
	maxPresences = 10_000
)

func newPresence(cl *Client) *presence {
	return &presence{cl: cl, contacts: presenceBook{domain: strings.ToLower(cl.c.Config.Domain)}}
}

// received takes the presence of one resource of a contact. What changes nothing ends here.
func (p *presence) received(ev xmppside.PresenceUpdate) {
	who := bareID(ev.From)
	p.mu.Lock()
	aggregate := p.contacts.get(who)
	if aggregate == nil {
		if !ev.Available || len(p.contacts.list) >= maxPresences {
			p.mu.Unlock()
			return
		}
		aggregate = p.contacts.open(who)
	}
	changed := aggregate.Update(ev.From.Resourcepart(), ev.State)
	state := aggregate.State()
	if isPlainOffline(aggregate) {
		p.contacts.remove(who)
	}
	p.mu.Unlock()
	if changed {
		p.tell(who, state)
	}
}

// tell passes a change on to Matrix.
func (p *presence) tell(who string, state wire.State) {
	p.cl.c.crowd.presence.show(p.cl.c, p.cl.id(), who, state)
}

// of is what a contact shows.
func (p *presence) of(who string) wire.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	if aggregate := p.contacts.get(who); aggregate != nil {
		return aggregate.State()
	}
	return wire.State{}
}

// show repeats a contact's presence for a ghost that has just come into being.
func (p *presence) show(who string) {
	if state := p.of(who); state.Available {
		p.cl.c.crowd.presence.show(p.cl.c, p.cl.id(), who, state)
	}
}

// forget drops what is known of somebody who is no contact any more.
func (p *presence) forget(who string) {
	p.mu.Lock()
	known := p.contacts.get(who) != nil
	p.contacts.remove(who)
	p.mu.Unlock()
	if known {
		p.tell(who, wire.State{})
	}
}

// onState keeps the contacts' last presence for a while when a session ends, and until the next one has brought its own.
func (p *presence) onState(ev xmppside.StateEvent) {
	p.cl.people.onState(ev)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.State {
	case xmppside.Online:
		p.online = true
		p.fade(presenceSettle)
	case xmppside.Stopped:
		p.online = false
		p.stopFading()
		if !p.cl.IsLoggedIn() {
			p.markStale()
			p.fade(0)
		}
	default:
		if p.online || p.fading == nil {
			p.online = false
			p.markStale()
			p.fade(p.cl.c.Config.Presence.Grace.Of())
		}
	}
}

func (p *presence) markStale() {
	p.contacts.each(func(_ string, aggregate *wire.Aggregate) { aggregate.MarkStale() })
}

func (p *presence) stopFading() {
	if p.fading != nil {
		p.fading.Stop()
		p.fading = nil
	}
}

// fade drops what is stale after a time. The caller holds the lock.
func (p *presence) fade(after time.Duration) {
	p.stopFading()
	if len(p.contacts.list) == 0 {
		return
	}
	p.fading = time.AfterFunc(after, p.expire)
}

// expire lets contacts go offline of whom nothing was heard.
func (p *presence) expire() {
	gone := map[string]wire.State{}
	p.mu.Lock()
	p.fading = nil
	p.contacts.each(func(who string, aggregate *wire.Aggregate) {
		if aggregate.Expire() {
			gone[who] = aggregate.State()
		}
	})
	p.contacts.prune()
	p.mu.Unlock()
	for who, state := range gone {
		p.tell(who, state)
	}
}

// restore reads what the ghosts of the contacts showed before a restart, once. The homeserver has it still, so nothing is sent.
func (p *presence) restore(ctx context.Context) {
	rows, err := p.cl.c.db.Presence.List(ctx, p.cl.id())
	if err != nil {
		p.cl.log.Err(err).Msg("The contacts' last presences cannot be read")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.contacts.list) > 0 {
		return
	}
	for _, row := range rows {
		aggregate := p.contacts.open(row.JID)
		aggregate.Update("", stateFromRow(row))
		aggregate.MarkStale()
		p.cl.c.crowd.presence.remember(p.cl.id(), row.JID, aggregate.State())
	}
}

func stateFromRow(row database.Presence) wire.State {
	return wire.State{Available: true, Show: wire.ParseShow(row.Availability), Status: row.Status}
}
