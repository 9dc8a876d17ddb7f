package bridge

import (
	"context"
	"encoding/binary"
	"hash/maphash"
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
	contacts map[string]wire.Aggregate // by bare JID
	online   bool                      // a session is up
	fading   *time.Timer               // runs until what is stale is dropped
}

const (
	// presenceSettle is how long a new session has time to bring fresh presences before stale ones are dropped. The service only tells of who is online, so nobody ever says that somebody
	// went offline while the session was down.
	presenceSettle = 20 * time.Second
	// maxPresences bounds how many people's presence is kept, against a service that tells of more than the roster can hold.
	maxPresences = 10_000
)

func newPresence(cl *Client) *presence { return &presence{cl: cl} }

// received takes the presence of one resource of a contact. What changes nothing ends here.
func (p *presence) received(ev xmppside.PresenceUpdate) {
	who := bareID(ev.From)
	p.mu.Lock()
	aggregate, known := p.contacts[who]
	if !known && (!ev.Available || len(p.contacts) >= maxPresences) {
		p.mu.Unlock()
		return
	}
	changed := aggregate.Update(resourceKey(ev.From.Resourcepart()), ev.State)
	state := aggregate.State()
	p.keep(who, aggregate)
	p.mu.Unlock()
	if changed {
		p.tell(who, state)
	}
}

// resourceSeed is for resourceKey; it need not outlive the process.
var resourceSeed = maphash.MakeSeed()

// resourceKey stands for the name of a resource, which is only compared: a name is a GUID of 36 bytes, and there are half a million of them. The empty name, which has a meaning of
// its own, stays.
func resourceKey(name string) string {
	if len(name) <= 8 {
		return name
	}
	var key [8]byte
	binary.NativeEndian.PutUint64(key[:], maphash.String(resourceSeed, name))
	return string(key[:])
}

// keep stores a contact's presence, or forgets one that is plain offline. The caller holds the lock.
func (p *presence) keep(who string, aggregate wire.Aggregate) {
	if aggregate.State() == (wire.State{}) && aggregate.Resources() == 0 {
		delete(p.contacts, who)
		if len(p.contacts) == 0 {
			p.contacts = nil
		}
		return
	}
	if p.contacts == nil {
		p.contacts = map[string]wire.Aggregate{}
	}
	p.contacts[who] = aggregate
}

// tell passes a change on to Matrix.
func (p *presence) tell(who string, state wire.State) {
	p.cl.c.crowd.presence.show(p.cl.c, p.cl.id(), who, state)
}

// of is what a contact shows.
func (p *presence) of(who string) wire.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	aggregate := p.contacts[who]
	return aggregate.State()
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
	_, known := p.contacts[who]
	delete(p.contacts, who)
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
	for who, aggregate := range p.contacts {
		aggregate.MarkStale()
		p.contacts[who] = aggregate
	}
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
	if len(p.contacts) == 0 {
		return
	}
	p.fading = time.AfterFunc(after, p.expire)
}

// expire lets contacts go offline of whom nothing was heard.
func (p *presence) expire() {
	gone := map[string]wire.State{}
	p.mu.Lock()
	p.fading = nil
	for who, aggregate := range p.contacts {
		if aggregate.Expire() {
			gone[who] = aggregate.State()
		}
		p.keep(who, aggregate)
	}
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
	if p.contacts != nil {
		return
	}
	for _, row := range rows {
		var aggregate wire.Aggregate
		aggregate.Update("", stateFromRow(row))
		aggregate.MarkStale()
		p.keep(row.JID, aggregate)
		p.cl.c.crowd.presence.remember(p.cl.id(), row.JID, aggregate.State())
	}
}

func stateFromRow(row database.Presence) wire.State {
	return wire.State{Available: true, Show: wire.ParseShow(row.Availability), Status: row.Status}
}
