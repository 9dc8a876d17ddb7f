package bridge

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// inbound stores what the service sent before anything slow happens, and hands it to the rooms: one worker a chat, in order, chats in parallel. A
// worker exists while its chat has something to do.
type inbound struct {
	cl *Client

	mu     sync.Mutex
	ctx    context.Context // of the workers, nil while disconnected
	cancel context.CancelFunc
	chats  map[string]*chatWorker
	met    map[string]bool   // the chats of which a row was handed over in this run
	begun  map[string]string // by chat: the key of the row that was last given to its room, while it is not known what became of it
	work   sync.WaitGroup

	asides asides
}

// chatWorker is the state of one chat's worker.
type chatWorker struct {
	running bool
	again   bool  // something has come in since it last looked
	held    int   // reasons for which the chat waits, such as a catch-up
	busy    bool  // the oldest row is on its way to the room
	row     int64 // which one that is, 0 while it is being looked up
}

func newInbound(cl *Client) *inbound {
	return &inbound{cl: cl, chats: map[string]*chatWorker{}, begun: map[string]string{}, met: map[string]bool{}, asides: newAsides(cl)}
}

// Kinds of rows in the Messenger inbox.
const (
	kindMessage = "message" // from the contact
	kindOwn     = "own"     // written by the user in another Messenger program
	kindNotice  = "notice"  // a sentence of the bridge that belongs at this place of the chat
)

// incoming is the body of an inbox row.
type incoming struct {
	From string    `json:"from"`           // bare JID
	Text string    `json:"text"`           // as received
	Nick string    `json:"nick,omitempty"` // the sender's own name for itself
	Time time.Time `json:"time"`           // when it was sent, as well as is known
	Late bool      `json:"late,omitempty"` // it was sent while the session was down
	Old  bool      `json:"old,omitempty"`  // it is from before the room, and so already read

	Stream string    `json:"stream,omitempty"` // on which it came
	Source string    `json:"source,omitempty"` // of the log's words; empty: received as it was sent
	Stamp  time.Time `json:"stamp,omitzero"`   // when it was sent by the service's clock, if it said so
	Read   bool      `json:"read,omitempty"`   // everything up to here is read
	Tried  bool      `json:"tried,omitempty"`  // an earlier run of the program may have sent it
}

// resume starts the workers of what was left by an earlier run. That run may have ended before it had read what was missed before these messages, so the chats wait for their archives
// first, as always for a bounded time.
func (in *inbound) resume() {
	in.cl.history.await(in.cl.c.leftover(in.cl.id()))
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ctx != nil || in.cl.c.ctx.Err() != nil {
		return
	}
	in.ctx, in.cancel = context.WithCancel(in.cl.log.WithContext(in.cl.c.ctx))
	for _, chat := range in.cl.c.leftover(in.cl.id()) {
		in.start(chat)
	}
	// The others were interrupted by stop, or have got something since the start: Matrix events are handled before the
	// accounts are up.
	for chat := range in.chats {
		in.start(chat)
	}
}

// stop ends the workers and waits for them, but not for a homeserver that does not answer: what they hand over is still in the database.
func (in *inbound) stop() {
	in.mu.Lock()
	cancel := in.cancel
	in.ctx, in.cancel = nil, nil
	in.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	ended := make(chan struct{})
	go func() {
		in.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(disconnectTimeout):
		in.cl.log.Warn().Msg("The homeserver is taking long, and messages on their way to it are left for the next start")
	}
}

// message stores a message of the service. It returns when the message is on disk.
func (in *inbound) message(ctx context.Context, ev xmppside.Message) error {
	if ev.Body == "" || ev.Type == "groupchat" {
		return nil // chat states are handled elsewhere, everything else has no representation (messenger-protocol.md section 11)
	}
	from := ev.From.Bare()
	if from.Localpart() == "" {
		in.cl.log.Warn().Str("from", clip(ev.FromRaw, 100)).Msg("A message from nobody was dropped")
		return nil
	}
	row := incoming{From: strings.ToLower(from.String()), Text: ev.Body, Nick: ev.Nick, Time: time.Now(), Stream: in.cl.history.stream()}
	if ev.Delay != nil && !ev.Delay.Time.IsZero() {
		row.Time, row.Late = ev.Delay.Time, true
	}
	kind := kindMessage
	if row.From == in.cl.id() {
		kind = kindOwn
	}
	if row.Late {
		if again, err := in.cl.history.offline(ctx, kind, &row); again || err != nil {
			return err
		}
	}
	if taken, err := in.cl.people.hold(ctx, row); taken || err != nil {
		return err
	}
	in.cl.history.before(row.From)
	if err := in.put(ctx, row.From, kind, newKey(), row); err != nil {
		return err
	}
	in.kick(row.From)
	return nil
}

// put stores a row at the end of a chat's queue.
func (in *inbound) put(ctx context.Context, chat, kind, key string, row incoming) error {
	body, err := json.Marshal(row)
	if err != nil {
		return err
	}
	_, _, err = in.cl.c.db.MessengerInbox.Put(ctx, database.Incoming{
		LoginID: in.cl.id(), ChatID: chat, DedupeKey: key, Kind: kind, Body: body, Stamp: row.stamp(),
	})
	return err
}

// newKey names a row. The service's own IDs are not used: it need not send any, and a program that sends a constant one would have its messages
// taken for repeats.
func newKey() string {
	var raw [15]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// kick makes sure that a chat's rows get handed over. It returns at once.
func (in *inbound) kick(chat string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.start(chat)
}

// start is kick with the lock held.
func (in *inbound) start(chat string) {
	worker := in.chats[chat]
	if worker == nil {
		worker = &chatWorker{}
		in.chats[chat] = worker
	}
	if in.ctx == nil {
		return // resume starts what is there then
	}
	if worker.running || worker.held > 0 {
		worker.again = true
		return
	}
	worker.running, worker.again = true, false
	ctx := in.ctx
	in.work.Go(func() { in.run(ctx, chat, worker) })
}

// holdChat makes a chat wait, so that what was missed can be put before what comes in now. Every hold is released.
func (in *inbound) holdChat(chat string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	worker := in.chats[chat]
	if worker == nil {
		worker = &chatWorker{}
		in.chats[chat] = worker
	}
	worker.held++
}

// releaseChat undoes holdChat.
func (in *inbound) releaseChat(chat string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if worker := in.chats[chat]; worker != nil && worker.held > 0 {
		worker.held--
		if worker.held == 0 {
			in.start(chat)
		}
	}
}

// rest ends a worker unless something has come in meanwhile or the chat is held. A forced one ends in any case, because
// its session is over; when the next one has begun before that, which a homeserver that hangs brings about, the chat
// gets another worker.
func (in *inbound) rest(chat string, worker *chatWorker, force bool) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if worker.again && worker.held == 0 && !force {
		worker.again = false
		return false
	}
	worker.running, worker.busy = false, false
	switch {
	case worker.held > 0 || in.ctx == nil:
	case force && in.ctx.Err() == nil:
		in.start(chat)
	default:
		delete(in.chats, chat)
	}
	return true
}

// claim allows a worker to hand over the next row, unless the chat is held.
func (in *inbound) claim(worker *chatWorker) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	worker.busy, worker.row = worker.held == 0, 0
	return worker.busy
}

// carry notes the row that was claimed.
func (in *inbound) carry(worker *chatWorker, row int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	worker.row = row
}

// begin notes that a row is being given to its room; workers come and go before it is known whether it got there.
func (in *inbound) begin(row database.Incoming) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.begun[row.ChatID] = row.DedupeKey
	in.met[row.ChatID] = true
}

// inFlight tells whether a row that was tried may be on its way even now: the last one of its chat that this run began with, or the first that the run before it left behind.
func (in *inbound) inFlight(row database.Incoming) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.begun[row.ChatID] == row.DedupeKey || !in.met[row.ChatID]
}

// forget notes that nothing is to become of a row any more.
func (in *inbound) forget(row database.Incoming) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.begun[row.ChatID] == row.DedupeKey {
		delete(in.begun, row.ChatID)
	}
}

// wasTried tells whether an earlier try, of this run of the program or another, may have brought a row to its room. What is told by its number is lost when it is moved.
func (in *inbound) wasTried(row database.Incoming) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.begun[row.ChatID] == row.DedupeKey || in.cl.c.isLeftover(row.Seq)
}

// onItsWay tells whether a row of a chat may be on its way to the room at the moment, and which: the given one, or with 0 the oldest. While the chat is held no further one sets out.
func (in *inbound) onItsWay(chat string) (row int64, is bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	worker := in.chats[chat]
	if worker == nil || !worker.busy {
		return 0, false
	}
	return worker.row, true
}

// run hands over a chat's rows until none is left.
func (in *inbound) run(ctx context.Context, chat string, worker *chatWorker) {
	var tried tries
	for first := ""; ctx.Err() == nil; {
		if !in.claim(worker) {
			if in.rest(chat, worker, false) {
				return
			}
			continue // the chat was released meanwhile
		}
		row, found, err := in.cl.c.db.MessengerInbox.NextForChat(ctx, in.cl.id(), chat)
		switch {
		case err != nil:
			in.cl.log.Err(err).Msg("The inbox cannot be read")
		case !found:
			if in.rest(chat, worker, false) {
				return
			}
			continue
		default:
			if row.DedupeKey != first {
				first, tried = row.DedupeKey, tries{failed: tried.failed}
			}
			in.carry(worker, row.Seq)
			err = in.handOver(ctx, row, &tried)
		}
		if err == nil {
			tried = tries{}
			continue
		}
		tried.failed++
		if !sleep(ctx, backoff(tried.failed)) {
			break
		}
	}
	in.rest(chat, worker, true)
}

// sender is who a row is from, for the framework.
func (cl *Client) sender(kind, from string) bridgev2.EventSender {
	if kind == kindOwn {
		return bridgev2.EventSender{IsFromMe: true, SenderLogin: cl.login.ID, Sender: cl.GetUserID()}
	}
	return bridgev2.EventSender{Sender: userID(from), ForceDMUser: true}
}
