package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

const (
	serviceDomain = "messenger.example" // of the scenario's service
	userMail      = "alice@contoso.example"
)

// chat is one conversation between the user and a contact.
type chat struct {
	name string // c00, c01, …
	jid  string
	room id.RoomID

	earlier []messengerd.Received // what the contact received before the service's latest start, guarded by World.mu
}

// World is a scenario with many contacts, a line that can break, and everything that faults need. It is driven by one test; the talkers are its own goroutines.
type World struct {
	t       testing.TB
	s       *scenario.Scenario
	line    *Line
	rand    *rand.Rand // of the schedule; used by the test's goroutine alone
	chats   []*chat
	metrics *metrics
	disk    *disk // nil when the machine has none to fill

	mu    sync.RWMutex // held while the service is away
	talks sync.WaitGroup
	sent  atomic.Int64 // messages of both sides so far
	said  chan struct{}

	floor sync.Mutex // guards what follows
	turns int64      // taken by talkers
	limit int64      // how many may be taken
	more  chan struct{}
}

// start sets a world up: the user is signed in and has a room with each contact, in which both have said hello.
func start(t testing.TB, seed uint64, chats int, network map[string]any) *World {
	t.Helper()
	w := &World{t: t, rand: rand.New(rand.NewPCG(seed, 0)), said: make(chan struct{}, 1), more: make(chan struct{})}
	var err error
	if w.line, err = NewLine(); err != nil {
		t.Fatal(err)
	}
	metricsAddress := scenario.FreeAddress(t)
	w.metrics = newMetrics("http://" + metricsAddress + "/metrics")
	for i := range chats {
		w.chats = append(w.chats, &chat{name: fmt.Sprintf("c%02d", i), jid: fmt.Sprintf("%d@%s", 5000+i, serviceDomain)})
	}
	options := scenario.Options{
		Network:    map[string]any{"address": w.line.Addr(), "metrics": map[string]any{"listen": metricsAddress}},
		Service:    w.addContacts,
		Homeserver: homeserver.Options{RecordLimit: 2000, RecordNoBodies: true, PushRetryMax: 250 * time.Millisecond},
		Sections:   map[string]map[string]any{"matrix": {"message_status_events": true}},
	}
	for key, value := range network {
		options.Network[key] = value
	}
	if w.disk = newDisk(t); w.disk != nil {
		options.Sections["database"] = map[string]any{"uri": "file:" + w.disk.file("bridge.db") + "?_txlock=immediate"}
	}
	t.Cleanup(w.line.Close) // runs after the scenario's own end
	w.s = scenario.Start(t, options)
	t.Cleanup(w.keep) // while everything is there
	w.line.SetTarget(w.s.Service.Addr())
	w.s.LoginWithToken()
	w.greet()
	return w
}

// addContacts puts the chats' contacts into the service's configuration.
func (w *World) addContacts(cfg *messengerd.Config) {
	cfg.Listen = "127.0.0.1:0" // another port at each start, to which the line leads: its old one may be taken by then
	for i := range cfg.Accounts {
		if cfg.Accounts[i].Email != userMail {
			continue
		}
		for _, c := range w.chats {
			cfg.Accounts[i].Contacts = append(cfg.Accounts[i].Contacts, messengerd.ContactConfig{Account: c.jid, Subscription: "both"})
		}
	}
	for _, c := range w.chats {
		cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{Email: c.name + "@contoso.example", JID: c.jid, Name: c.name, Contact: true})
	}
}

// greet makes the rooms.
func (w *World) greet() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
	defer cancel()
	for _, c := range w.chats {
		if err := w.s.Service.Account(c.jid).SendMessage(userMail, "hello"); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, c := range w.chats {
		ghost := w.ghost(c)
		view, err := w.s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.Has(ghost) && v.Type == "" })
		if err != nil {
			w.t.Fatalf("the room with %s: %v", c.name, err)
		}
		c.room = view.ID
		if view.Membership == event.MembershipInvite {
			if err := w.s.Alice.Join(view.ID); err != nil {
				w.t.Fatal(err)
			}
		}
		if _, err := w.s.Alice.SendText(c.room, "hello"); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, c := range w.chats {
		if _, err := w.s.Service.Account(c.jid).WaitReceived(ctx, 1); err != nil {
			w.t.Fatalf("the greeting for %s: %v", c.name, err)
		}
		if _, err := w.s.Alice.WaitMessage(ctx, c.room, func(ev *homeserver.Event) bool { return ev.Sender == w.ghost(c) }); err != nil {
			w.t.Fatalf("the greeting of %s: %v", c.name, err)
		}
	}
}

func (w *World) ghost(c *chat) id.UserID {
	return id.NewUserID("messenger_"+id.EncodeUserLocalpart(c.jid), w.s.HS.Domain())
}

// account is the contact's account at the service that runs now, and what the contact received before. It waits while the service is away.
func (w *World) account(c *chat) (account *messengerd.Account, earlier []messengerd.Received) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.s.Service.Account(c.jid), c.earlier
}

// waitReceived waits until the contact's program has received n messages in all.
func (w *World) waitReceived(ctx context.Context, c *chat, n int) error {
	for {
		account, earlier := w.account(c)
		_, err := account.WaitReceived(ctx, n-len(earlier))
		if !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
}

// waitShown waits until the room shows n messages of the contact.
func (w *World) waitShown(ctx context.Context, c *chat, n int) error {
	ghost, seen := w.ghost(c), map[id.EventID]bool{}
	_, err := w.s.Alice.WaitMessage(ctx, c.room, func(ev *homeserver.Event) bool {
		if ev.Sender == ghost {
			seen[ev.ID] = true
		}
		return len(seen) >= n
	})
	return err
}

// received are the texts that the contact has.
func (w *World) received(c *chat) (texts []string) {
	account, earlier := w.account(c)
	for _, r := range earlier {
		texts = append(texts, r.Body)
	}
	for _, r := range account.Received() {
		texts = append(texts, r.Body)
	}
	return texts
}

// restartService ends the service and starts it again after a while. Its connections break at the end of what it has written, or just so.
func (w *World) restartService(abrupt bool, away time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.s.Service
	if abrupt {
		old.CutSessions()
	}
	if err := old.Close(); err != nil {
		w.t.Fatal(err)
	}
	// What arrived until the very end counts, so it is looked at only now.
	for _, c := range w.chats {
		c.earlier = append(c.earlier, old.Account(c.jid).Received()...)
	}
	time.Sleep(away)
	w.s.ServiceComesBack()
	w.line.SetTarget(w.s.Service.Addr())
}

// service runs do with the service that is there; it waits while there is none.
func (w *World) service(do func(*messengerd.Server)) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	do(w.s.Service)
}

// allow lets the talkers send until n messages are sent in all. So there is something to say during every fault, however long it takes.
func (w *World) allow(n int64) {
	w.floor.Lock()
	defer w.floor.Unlock()
	w.limit = n
	close(w.more)
	w.more = make(chan struct{})
}

// restrain lets the talkers send only n more for now, and returns what they were allowed.
func (w *World) restrain(n int64) (allowed int64) {
	w.floor.Lock()
	defer w.floor.Unlock()
	allowed = w.limit
	w.limit = min(allowed, w.turns+n)
	return allowed
}

// turn waits until one more message may be sent.
func (w *World) turn(ctx context.Context) error {
	for {
		w.floor.Lock()
		if w.turns < w.limit {
			w.turns++
			w.floor.Unlock()
			return nil
		}
		more := w.more
		w.floor.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// note counts a message that was sent.
func (w *World) note() {
	w.sent.Add(1)
	select {
	case w.said <- struct{}{}:
	default:
	}
}

// waitSaid waits until n messages were sent in all. It gives up, without harm, when nobody can say anything any more for a while: a fault that is on may be why.
func (w *World) waitSaid(ctx context.Context, n int64, patience time.Duration) {
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for w.sent.Load() < n {
		select {
		case <-w.said:
			quiet.Reset(patience)
		case <-quiet.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// pause is a moment of random length, so that what follows comes at any point of what goes on.
func (w *World) pause(most time.Duration) {
	time.Sleep(time.Duration(w.rand.Int64N(int64(most) + 1)))
}
