package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"

	"matrix-messenger/xmppside"
)

// history is what the service kept while nobody was there: the messages it stored, and its archive (messenger-protocol.md sections 10 and 11).
//
// The archive of a chat is read when something in it may have been missed: after a sign-in in the chats used lately, and otherwise before the first message of a
// session or after a lull is shown. A chat whose archive is to be read waits, and no other chat does; it waits neither long nor for an archive that does not answer. What is
// found missing is put where it belongs among the rows of the Messenger inbox, from where it goes to its room like everything else. All that has to survive is in the database.
type history struct {
	cl *Client

	mu      sync.Mutex
	ctx     context.Context // of the workers, nil while disconnected
	cancel  context.CancelFunc
	work    sync.WaitGroup
	asked   int // turns of reading that were asked for and have not come
	reading int // archives that are being read

	asksLater bool // a turn is to be asked for again, as too many wait for theirs

	session uint64 // the latest to sign in, 0: none yet
	since   time.Time
	ended   time.Time               // when the session before ended, zero when that was in another run
	chats   map[string]*chatHistory // what this session knows
	jobs    map[string]*readJob     // waiting and running, by chat
	queue   []*readJob              // waiting, in order
	sweep   *time.Timer             // releases chats that have waited long enough

	silent  int       // requests in a row that were not answered
	resting time.Time // until when the archive is left alone

	repeats map[repeatKey]*repeat // stored messages of this session
	clock   serviceClock
	list    listing
	begun   map[string]bool // chats that began while nobody was there
}

// chatHistory is what is known of one chat in this session.
type chatHistory struct {
	read   uint64    // the session in which its archive was read
	active time.Time // when something was last said, as far as is known
	retry  time.Time // not before
}

const (
	// lull is how long a chat must have been quiet for its archive to be read when the contact writes: meanwhile the user may have written in another Messenger program, which
	// nobody tells.
	lull = 10 * time.Minute
	// recently is how far back a chat must have been used to be read at sign-in, before anybody writes in it.
	recently = 7 * 24 * time.Hour
	// lately is the same after a short break. What was stored at the service meanwhile comes by itself, and has its chat read; there is only something else to find where people
	// were talking.
	lately = time.Hour
	// readAtSignIn is how many chats are read at sign-in at most. The others are read when a message comes.
	readAtSignIn = 20
	// silence is how long an archive is left alone that did not answer twice, or that is refused.
	silence = 10 * time.Minute
	// retryRead is how long the archive of a chat is left alone after reading it has failed.
	retryRead = time.Minute
	// maxChats bounds what is remembered of a session.
	maxChats = 5000
)

func newHistory(cl *Client) *history { return &history{cl: cl} }

func (h *history) enabled() bool { return h.cl.c.Config.Archive.Enabled }

// signedIn makes the chats wait that may have missed something, before the first message of the new session can be shown: those with messages of which
// it is not known whether they arrived, and those that were used lately. Any other chat is read when a message comes in it.
func (h *history) signedIn(ctx context.Context, ev xmppside.SignedIn) error {
	now := time.Now()
	h.begin(ev.Session, now)
	if !h.enabled() {
		return nil
	}
	unconfirmed, err := h.cl.c.db.Outbox.Unconfirmed(ctx, h.cl.id(), "")
	if err != nil {
		return err
	}
	recent, err := h.cl.c.db.ChatLog.Recent(ctx, h.cl.id(), now.Add(-h.reach(now)), readAtSignIn)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, row := range unconfirmed {
		h.enqueue(row.ChatID, false)
	}
	for _, chat := range recent {
		h.enqueue(chat.ChatID, false)
	}
	return nil
}

// reach is how far back a chat must have been used to be read at a sign-in.
func (h *history) reach(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended.IsZero() && now.Sub(h.ended) < lull {
		return lately
	}
	return recently
}

// await makes chats wait for their archives before there is a session.
func (h *history) await(chats []string) {
	if !h.enabled() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, chat := range chats {
		h.enqueue(chat, false)
	}
}

// begin forgets what was known of the session before.
func (h *history) begin(session uint64, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil && h.cl.c.ctx.Err() == nil {
		h.ctx, h.cancel = context.WithCancel(h.cl.log.WithContext(h.cl.c.ctx))
	}
	h.session, h.since = session, now
	h.chats, h.repeats = nil, nil
	h.silent, h.resting = 0, time.Time{}
	h.list.restart()
}

// stream names the session that goes on, as the database has it.
func (h *history) stream() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cl.c.streamID(h.session)
}

// onState starts reading when a session is up.
func (h *history) onState(ev xmppside.StateEvent) {
	if ev.State != xmppside.Online && ev.Session != 0 {
		h.mu.Lock()
		h.ended = time.Now()
		h.mu.Unlock()
	}
	if ev.State != xmppside.Online || !h.enabled() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.startWorkers()
	h.askList()
}

// stop ends the workers, waits for them, and lets every chat go on.
func (h *history) stop() {
	h.mu.Lock()
	cancel := h.cancel
	h.ctx, h.cancel = nil, nil
	h.list.restart()
	h.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	h.work.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropJobs(errDisconnected)
}

// chat is what is known of a chat. The lock is held.
func (h *history) chat(chat string) *chatHistory {
	known := h.chats[chat]
	if known == nil {
		if h.chats == nil || len(h.chats) >= maxChats {
			h.chats = map[string]*chatHistory{}
		}
		known = &chatHistory{}
		h.chats[chat] = known
	}
	return known
}

// said notes that the user wrote in a chat through the bridge.
func (h *history) said(chat string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.chat(chat).active = time.Now()
}

// before is called when a message of a contact has come in and is not stored yet: when something may have been missed before it, the chat waits.
func (h *history) before(chat string) {
	if !h.enabled() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known, now := h.chat(chat), time.Now()
	due := known.read != h.session || now.Sub(known.active) > lull
	known.active = now
	if due && h.mayRead(known, now) {
		h.enqueue(chat, true)
	}
}

// mayWrite tells whether something may be written in a chat: not before its archive was read in this session, which is asked for. The archive shows ten messages, and each that is written pushes out
// one that may have been missed. As for everybody who waits for an archive, it is for a bounded time; then the outbox is kicked.
func (h *history) mayWrite(chat string) bool {
	if !h.enabled() {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	job := h.jobs[chat]
	switch {
	case job == nil:
		known := h.chat(chat)
		if known.read == h.session || !h.mayRead(known, time.Now()) {
			return true
		}
		job = h.enqueue(chat, true)
	case job.held:
		h.hurry(job)
	}
	return job == nil || !job.held
}

// waiting lists the chats that wait for their archives and that somebody has asked to be read soon.
func (h *history) waiting() (chats []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for chat, job := range h.jobs {
		if job.held && job.urgent {
			chats = append(chats, chat)
		}
	}
	return chats
}

// mayRead tells whether it makes sense to ask. The lock is held.
func (h *history) mayRead(known *chatHistory, now time.Time) bool {
	return h.ctx != nil && h.session != 0 && !now.Before(h.resting) && !now.Before(known.retry)
}

// earlier makes a chat's room, when it is new, show the messages of the time before it. It is run by the framework while it makes the room.
func (h *history) earlier(chat string) bridgev2.ExtraUpdater[*bridgev2.Portal] {
	return func(context.Context, *bridgev2.Portal) bool {
		if h.enabled() {
			h.mu.Lock()
			defer h.mu.Unlock()
			if known := h.chat(chat); known.read != h.session && h.mayRead(known, time.Now()) {
				h.enqueue(chat, true)
			}
		}
		return false
	}
}

// catchUp returns when the archive of a chat has been read in this session, or will not be. An error means that the session is over.
func (h *history) catchUp(ctx context.Context, session *xmppside.Session, chat string) error {
	if !h.enabled() {
		return nil
	}
	h.mu.Lock()
	known := h.chat(chat)
	var job *readJob
	if known.read != h.session && h.mayRead(known, time.Now()) {
		job = h.enqueue(chat, true)
	}
	h.mu.Unlock()
	if job == nil {
		return nil
	}
	timeout := time.NewTimer(readPatience)
	defer timeout.Stop()
	select {
	case <-job.done:
		return nil
	case <-timeout.C:
		return nil
	case <-session.Done():
		return errSessionOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch reads the archive of a chat in any case and tells how many messages were missing.
func (h *history) fetch(ctx context.Context, chat string) (added int, err error) {
	if h.cl.session() == nil {
		return 0, errDisconnected
	}
	h.mu.Lock()
	var job *readJob
	if h.ctx != nil {
		job = h.enqueue(chat, true)
	}
	h.mu.Unlock()
	if job == nil {
		return 0, errDisconnected
	}
	select {
	case <-job.done:
		return job.added, job.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// readPatience is how long one waits for the archive of a chat, with all that is asked before it.
const readPatience = time.Minute

var (
	errDisconnected = errors.New("there is no session")
	errSessionOver  = errors.New("the session is over")
	errSilent       = errors.New("the archive does not answer at the moment")
	errNotStored    = errors.New("what the archive showed could not be stored")
	errManyWait     = errors.New("too many wait for their archives")
	errUndecided    = errors.New("the contact's request is not decided")
)
