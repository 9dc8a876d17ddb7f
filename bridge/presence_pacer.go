package bridge

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/database"
	wire "matrix-messenger/xmppside/presence"
)

// presencePacer shows the contacts' presence on their ghosts, for all accounts: only changes, of a ghost only the latest, and not more than a bounded number in a second.
// What ghosts show is cached in the database, written in batches. Its one goroutine exists while there is something to do.
//
// A ghost may be the contact of several accounts. The account that told last is the one that counts; when it loses sight of the contact, another one that sees it takes over.
type presencePacer struct {
	mu      sync.Mutex
	running bool
	queue   []string                   // contacts to be shown, in order
	wanted  map[string]shownPresence   // what they are to show
	shown   map[string]shownPresence   // what they show, as far as it is not plain offline
	unsaved map[presenceKey]wire.State // what the cache does not know yet
	wake    chan struct{}
}

type presenceKey struct{ login, who string }

// shownPresence is what a ghost shows, and which account said so.
type shownPresence struct {
	state wire.State
	login string
	again bool // to be sent although it is what the ghost showed last
}

const (
	// presenceRate bounds the requests to the homeserver, in a second.
	presenceRate = 50
	// presenceRefresh is the interval for homeservers that let a presence lapse after half a minute.
	presenceRefresh = 20 * time.Second
	// presenceSave is how long a changed presence may be missing in the cache.
	presenceSave = 2 * time.Second
	// presenceBatch bounds the rows of one write.
	presenceBatch = 500
	// presenceTimeout bounds one request.
	presenceTimeout = 30 * time.Second
)

// show notes a state of a contact, as an account sees it: a new one, or the present one for a ghost that has just come into being.
func (s *presencePacer) show(c *Connector, login, who string, state wire.State) {
	if !c.Config.Presence.ToMatrix {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want(who, shownPresence{state: state, login: login})
	s.run(c)
}

// remember notes what a ghost shows since before a restart.
func (s *presencePacer) remember(login, who string, state wire.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown == nil {
		s.shown = map[string]shownPresence{}
	}
	s.shown[who] = shownPresence{state: state, login: login}
}

// want puts a state into the queue, in place of an older one. The caller holds the lock.
func (s *presencePacer) want(who string, next shownPresence) {
	if s.wanted == nil {
		s.wanted = map[string]shownPresence{}
	}
	if before, queued := s.wanted[who]; !queued {
		s.queue = append(s.queue, who)
	} else {
		next.again = next.again || before.again
	}
	s.wanted[who] = next
}

// cache notes that the database does not know yet what a ghost shows. The caller holds the lock.
func (s *presencePacer) cache(login, who string, state wire.State) {
	if s.unsaved == nil {
		s.unsaved = map[presenceKey]wire.State{}
	}
	s.unsaved[presenceKey{login, who}] = state
}

// setShown notes what a ghost shows. The caller holds the lock.
func (s *presencePacer) setShown(who string, now shownPresence) {
	before, found := s.shown[who]
	if !found && now.state == (wire.State{}) {
		return
	}
	if found && before.login != now.login {
		s.cache(before.login, who, wire.State{})
	}
	if !found || before.state != now.state || before.login != now.login {
		s.cache(now.login, who, now.state)
	}
	if now.state == (wire.State{}) {
		delete(s.shown, who)
		return
	}
	if s.shown == nil {
		s.shown = map[string]shownPresence{}
	}
	now.again = false
	s.shown[who] = now
}

// run starts the goroutine unless it runs. The caller holds the lock.
func (s *presencePacer) run(c *Connector) {
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	if s.running {
		select {
		case s.wake <- struct{}{}:
		default:
		}
		return
	}
	s.running = true
	c.spawn(func(ctx context.Context) { s.work(ctx, c) })
}

func (s *presencePacer) work(ctx context.Context, c *Connector) {
	ctx = c.log.WithContext(ctx)
	saved, refreshed := time.Now(), time.Now()
	failures := 0
	for {
		who, next, some := s.next()
		if some {
			if err := s.send(ctx, c, who, next); err != nil && ctx.Err() == nil {
				failures++
				c.log.Debug().Err(err).Msg("A contact's presence could not be shown yet")
				s.putBack(who, next)
				if !sleep(ctx, backoff(failures)) {
					break
				}
			} else {
				failures = 0
			}
		}
		if now := time.Now(); now.Sub(saved) >= presenceSave || ctx.Err() != nil {
			s.save(ctx, c)
			saved = now
		}
		if ctx.Err() != nil {
			break
		}
		if some {
			continue
		}
		if c.Config.Presence.Refresh && time.Since(refreshed) >= presenceRefresh {
			s.repeat()
			refreshed = time.Now()
		}
		if s.rest(c) {
			return
		}
		timer := time.NewTimer(presenceSave)
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	s.save(context.WithoutCancel(ctx), c)
	s.mu.Lock()
	s.running = false
	s.mu.Unlock()
}

// next takes the oldest of what is to be shown, and drops it when the ghost shows it already.
func (s *presencePacer) next() (who string, next shownPresence, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		who, s.queue = s.queue[0], s.queue[1:]
		next = s.wanted[who]
		delete(s.wanted, who)
		if next.again || s.shown[who].state != next.state {
			return who, next, true
		}
		s.setShown(who, next) // the account that told last
	}
	s.queue, s.wanted = nil, nil
	return "", next, false
}

// putBack queues what could not be sent, unless something newer is there.
func (s *presencePacer) putBack(who string, next shownPresence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, newer := s.wanted[who]; !newer {
		s.want(who, next)
	}
}

// rest ends the goroutine when nothing is left to do. With refresh it goes on as long as somebody is online.
func (s *presencePacer) rest(c *Connector) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 || len(s.unsaved) > 0 || c.Config.Presence.Refresh && len(s.shown) > 0 {
		return false
	}
	s.running = false
	return true
}

// repeat queues everybody who is not offline once more.
func (s *presencePacer) repeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for who, now := range s.shown {
		if now.state.Available {
			now.again = true
			s.want(who, now)
		}
	}
}

// send shows a state on a ghost that exists; ghosts are not made for it.
func (s *presencePacer) send(ctx context.Context, c *Connector, who string, next shownPresence) error {
	if !next.state.Available {
		if other, found := c.seenByOthers(who, next.login); found {
			next.state, next.login = other.state, other.login
			s.mu.Lock()
			same := s.shown[who].state == next.state
			s.setShown(who, next)
			s.mu.Unlock()
			if same {
				return nil
			}
		}
	}
	stored, err := c.br.DB.Ghost.GetByID(ctx, networkid.UserID(who))
	if err != nil || stored == nil {
		return err
	}
	intent := c.asGhost(c.matrix.FormatGhostMXID(networkid.UserID(who)))
	request, cancel := context.WithTimeout(mautrix.WithMaxRetries(ctx, 0), presenceTimeout)
	defer cancel()
	if err = intent.EnsureRegistered(request); err == nil {
		address := intent.BuildClientURL("v3", "presence", intent.UserID, "status")
		_, err = intent.MakeRequest(request, http.MethodPut, address, matrixState(next.state), nil)
	}
	if err != nil && passing(err) {
		return fmt.Errorf("presence of a ghost: %w", err)
	} else if err != nil {
		c.log.Debug().Err(err).Msg("The homeserver does not take a contact's presence")
	}
	s.mu.Lock()
	s.setShown(who, next)
	s.mu.Unlock()
	sleep(ctx, time.Second/presenceRate)
	return nil
}

// seenByOthers asks the other accounts about a contact whom one account has lost sight of.
func (c *Connector) seenByOthers(who, except string) (shownPresence, bool) {
	for _, client := range c.allClients() {
		if client.id() == except {
			continue
		}
		if state := client.presence.of(who); state.Available {
			return shownPresence{state: state, login: client.id()}, true
		}
	}
	return shownPresence{}, false
}

// ghostPresence is the body of the request that sets a presence. The framework's own leaves out an empty personal message, by which some homeservers (Dendrite) understand that the
// old one stays.
type ghostPresence struct {
	Presence event.Presence `json:"presence"`
	Text     string         `json:"status_msg"`
}

// matrixState is a contact's state as Matrix has it. Somebody busy is there but not to be disturbed, for which Matrix has no word that all homeservers know.
func matrixState(state wire.State) ghostPresence {
	request := ghostPresence{Presence: event.PresenceOffline, Text: state.Status}
	if !state.Available {
		return request
	}
	switch state.Show {
	case wire.Away, wire.XA:
		request.Presence = event.PresenceUnavailable
	case wire.DND:
		request.Presence = event.PresenceUnavailable
		request.Text = "Busy"
		if state.Status != "" {
			request.Text += ": " + state.Status
		}
	default:
		request.Presence = event.PresenceOnline
	}
	return request
}

// save writes what the cache does not know, in one commit for many.
func (s *presencePacer) save(ctx context.Context, c *Connector) {
	for {
		batch := s.takeUnsaved()
		if len(batch) == 0 {
			return
		}
		write, cancel := context.WithTimeout(context.WithoutCancel(ctx), presenceTimeout)
		err := c.db.Write(write, func(ctx context.Context) error {
			var put []database.Presence
			for key, state := range batch {
				if !state.Available {
					if err := c.db.Presence.Delete(ctx, key.login, key.who); err != nil {
						return err
					}
					continue
				}
				show := string(state.Show)
				if state.Show == wire.Online {
					show = "available"
				}
				put = append(put, database.Presence{LoginID: key.login, JID: key.who, Availability: show, Status: state.Status})
			}
			return c.db.Presence.Put(ctx, put...)
		})
		cancel()
		if err != nil {
			// It is a cache: what is lost comes again with the next session.
			c.log.Warn().Err(err).Msg("Presences could not be cached")
			return
		}
	}
}

func (s *presencePacer) takeUnsaved() map[presenceKey]wire.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unsaved) <= presenceBatch {
		batch := s.unsaved
		s.unsaved = nil
		return batch
	}
	batch := make(map[presenceKey]wire.State, presenceBatch)
	for key, state := range s.unsaved {
		batch[key] = state
		delete(s.unsaved, key)
		if len(batch) == presenceBatch {
			break
		}
	}
	return batch
}
