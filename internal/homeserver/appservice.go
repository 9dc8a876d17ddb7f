package homeserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Appservice is one registered application service and the queue of what it has not acknowledged.
type Appservice struct {
	server *Server
	reg    appservice.Registration
	sender id.UserID
	users  []*regexp.Regexp
	client *http.Client
	cancel context.CancelFunc
	done   chan struct{}

	// guarded by the server's mutex
	owned     map[id.UserID]bool // cache of owns
	queue     []json.RawMessage
	ephemeral []json.RawMessage
	toDevice  []json.RawMessage
	changed   []id.UserID // whose devices have changed
	held      bool
	current   *transaction
	history   []Pushed
	txnSeq    int

	pushMu sync.Mutex
	abort  context.CancelFunc // ends the request in flight
}

type transaction struct {
	id       string
	body     []byte
	events   int
	attempts int
}

// Pushed tells of one acknowledged transaction.
type Pushed struct {
	ID       string
	Events   int
	Attempts int
	Body     []byte
}

// pushHistory is how many acknowledged transactions are remembered for Repeat and Pushed.
const pushHistory = 200

// Register installs a registration, as putting the file into the homeserver's configuration does. Events are pushed to
// its url; an empty url (double puppeting) gets none.
func (s *Server) Register(reg *appservice.Registration) (*Appservice, error) {
	as := &Appservice{
		server: s, reg: *reg, sender: id.NewUserID(reg.SenderLocalpart, s.opts.Domain),
		owned: make(map[id.UserID]bool), done: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: s.opts.PushTimeout},
	}
	for _, namespace := range reg.Namespaces.UserIDs {
		pattern, err := regexp.Compile("^(?:" + namespace.Regex + ")$")
		if err != nil {
			return nil, fmt.Errorf("registration %s: %w", reg.ID, err)
		}
		as.users = append(as.users, pattern)
	}
	ctx, cancel := context.WithCancel(context.Background())
	as.cancel = cancel
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.appservices[reg.AppToken]; taken || reg.AppToken == "" {
		cancel()
		return nil, fmt.Errorf("registration %s: as_token missing or already in use", reg.ID)
	}
	s.appservices[reg.AppToken] = as
	s.accounts[as.sender] = true
	if reg.URL == "" {
		close(as.done)
	} else {
		go as.push(ctx)
	}
	return as, nil
}

// Registration makes, installs and returns a registration for a bridge at url, in the bridge's default names: id
// "messenger", bot "messengerbot", ghosts "messenger_…".
func (s *Server) Registration(url string) (*appservice.Registration, *Appservice, error) {
	return s.RegistrationOf("messenger", url)
}

// RegistrationOf is Registration for a bridge that is called otherwise: id NAME, bot "NAMEbot", ghosts "NAME_…".
func (s *Server) RegistrationOf(name, url string) (*appservice.Registration, *Appservice, error) {
	reg := appservice.CreateRegistration()
	reg.ID, reg.URL, reg.SenderLocalpart = name, url, appservice.CreateRegistration().AppToken[:32]
	reg.EphemeralEvents, reg.SoruEphemeralEvents = true, true
	domain := regexp.QuoteMeta(s.opts.Domain)
	reg.Namespaces.UserIDs = appservice.NamespaceList{
		{Regex: "@" + name + "bot:" + domain, Exclusive: true},
		{Regex: "@" + name + "_.*:" + domain, Exclusive: true},
	}
	as, err := s.Register(reg)
	return reg, as, err
}

// DoublePuppeting installs a registration that may act as anyone of the domain and returns its as_token, for the
// bridge's double_puppet.secrets as "as_token:…".
func (s *Server) DoublePuppeting() (string, error) {
	reg := appservice.CreateRegistration()
	reg.ID, reg.SenderLocalpart = "doublepuppet", "doublepuppet-"+reg.AppToken[:8]
	reg.Namespaces.UserIDs = appservice.NamespaceList{{Regex: "@.*:" + regexp.QuoteMeta(s.opts.Domain)}}
	_, err := s.Register(reg)
	return reg.AppToken, err
}

// owns tells whether the user belongs to the appservice. The caller holds the mutex.
func (as *Appservice) owns(user id.UserID) bool {
	owned, known := as.owned[user]
	if !known {
		owned = user == as.sender
		for _, pattern := range as.users {
			owned = owned || pattern.MatchString(user.String())
		}
		as.owned[user] = owned
	}
	return owned
}

// inRoom tells whether any of the appservice's users is joined or invited. The caller holds the mutex.
func (as *Appservice) inRoom(r *room) bool {
	for key, ev := range r.state {
		if (ev.membership == event.MembershipJoin || ev.membership == event.MembershipInvite) && as.owns(id.UserID(key.key)) {
			return true
		}
	}
	return false
}

// offer queues an event for each appservice that is interested in it. The caller holds the mutex.
func (s *Server) offer(r *room, ev *Event) {
	for _, as := range s.appservices {
		if as.reg.URL == "" {
			continue
		}
		if !as.owns(ev.Sender) && !(ev.membership != "" && as.owns(id.UserID(*ev.StateKey))) && !as.inRoom(r) {
			continue
		}
		if raw, err := json.Marshal(ev); err == nil {
			as.queue = append(as.queue, raw)
		}
	}
}

// ephemeral queues a typing notice, receipt or presence for the appservices in the room (any room when r is nil).
func (s *Server) ephemeral(r *room, content any) {
	raw, err := json.Marshal(content)
	if err != nil {
		return
	}
	for _, as := range s.appservices {
		wants := as.reg.EphemeralEvents || as.reg.SoruEphemeralEvents
		if as.reg.URL != "" && wants && (r == nil || as.inRoom(r)) {
			as.ephemeral = append(as.ephemeral, raw)
		}
	}
	s.notify()
}

// Hold keeps events back (true) or lets them go (false).
func (as *Appservice) Hold(hold bool) {
	as.server.mu.Lock()
	as.held = hold
	as.server.notify()
	as.server.mu.Unlock()
}

// Repeat pushes the last n acknowledged transactions once more under their old IDs, as a homeserver whose database lost
// the acknowledgement does, and returns the status codes.
func (as *Appservice) Repeat(ctx context.Context, n int) ([]int, error) {
	as.server.mu.Lock()
	history := as.history[max(0, len(as.history)-n):]
	as.server.mu.Unlock()
	var statuses []int
	for _, pushed := range history {
		status, err := as.put(ctx, pushed.ID, pushed.Body)
		if err != nil {
			return statuses, err
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

// Pushed lists the latest acknowledged transactions, oldest first.
func (as *Appservice) Pushed() []Pushed {
	as.server.mu.Lock()
	defer as.server.mu.Unlock()
	return append([]Pushed(nil), as.history...)
}

// WaitIdle waits until everything has been acknowledged.
func (as *Appservice) WaitIdle(ctx context.Context) error {
	return as.server.wait(ctx, "the appservice to acknowledge everything", func() bool {
		return as.current == nil && len(as.queue) == 0 && len(as.ephemeral) == 0 && len(as.toDevice) == 0 && len(as.changed) == 0
	})
}

func (as *Appservice) stop() {
	as.cancel()
	<-as.done
	as.client.CloseIdleConnections()
}

// cancelPush ends the request in flight; it will be repeated.
func (as *Appservice) cancelPush() {
	as.pushMu.Lock()
	if as.abort != nil {
		as.abort()
	}
	as.pushMu.Unlock()
}

// push is the appservice's sender: one transaction in flight, in order, repeated until 200.
func (as *Appservice) push(ctx context.Context) {
	defer close(as.done)
	wait := as.server.opts.PushRetry
	for {
		var txn *transaction
		err := as.server.wait(ctx, "something to push", func() bool {
			txn = as.next()
			return txn != nil
		})
		if err != nil {
			return
		}
		reqCtx, abort := context.WithCancel(ctx)
		as.pushMu.Lock()
		as.abort = abort
		as.pushMu.Unlock()
		txn.attempts++
		status, err := as.put(reqCtx, txn.id, txn.body)
		abort()
		if err == nil && status == http.StatusOK {
			wait = as.server.opts.PushRetry
			as.acknowledged(txn)
			continue
		}
		timer := time.NewTimer(wait + rand.N(wait/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait = min(2*wait, as.server.opts.PushRetryMax)
	}
}

// next is the transaction to send now, nil when there is none. The caller holds the mutex.
func (as *Appservice) next() *transaction {
	if as.held || as.server.down {
		return nil
	}
	if as.current != nil {
		return as.current
	}
	if len(as.queue)+len(as.ephemeral)+len(as.toDevice)+len(as.changed) == 0 {
		return nil
	}
	count := min(len(as.queue), as.server.opts.PushBatch)
	body := struct {
		Events    []json.RawMessage                       `json:"events"`
		Ephemeral []json.RawMessage                       `json:"ephemeral,omitempty"`
		ToDevice  []json.RawMessage                       `json:"to_device,omitempty"`
		Devices   *deviceLists                            `json:"device_lists,omitempty"`
		KeyCounts map[id.UserID]map[string]map[string]int `json:"device_one_time_keys_count,omitempty"`
	}{append([]json.RawMessage{}, as.queue[:count]...), as.ephemeral, as.toDevice, as.takeDeviceLists(), as.keyCounts()}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	as.queue, as.ephemeral, as.toDevice = append([]json.RawMessage(nil), as.queue[count:]...), nil, nil
	as.txnSeq++
	as.current = &transaction{id: fmt.Sprintf("%d", as.txnSeq), body: raw, events: count}
	return as.current
}

func (as *Appservice) acknowledged(txn *transaction) {
	as.server.mu.Lock()
	as.current = nil
	as.history = append(as.history, Pushed{ID: txn.id, Events: txn.events, Attempts: txn.attempts, Body: txn.body})
	if len(as.history) > pushHistory {
		as.history = append([]Pushed(nil), as.history[len(as.history)-pushHistory:]...)
	}
	as.server.notify()
	as.server.mu.Unlock()
}

func (as *Appservice) put(ctx context.Context, txnID string, body []byte) (int, error) {
	return as.request(ctx, http.MethodPut, "/_matrix/app/v1/transactions/"+txnID, body)
}

// request sends one request with the hs_token and returns the status.
func (as *Appservice) request(ctx context.Context, method, path string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(as.reg.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+as.reg.ServerToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := as.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, err
}
