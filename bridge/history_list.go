package bridge

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/archive"
	"matrix-messenger/xmppside/iq"
)

// The question for the chats of an account's archive, which is asked once in each session (setting rooms.at_login:
// history). Nobody waits for its answer, so it has few turns of its own, and when it fails it is asked again later in
// the same session, which may last for weeks.

const (
	// listTimeout bounds the question for the chats of the archive.
	listTimeout = 30 * time.Second
	// archiveLists is how many accounts are asked for their chats at a time by the whole bridge.
	archiveLists = 16
	// maxAsked bounds how many contacts are asked about one by one, where the archive cannot be listed.
	maxAsked = 500
	// firstListPause and longestListPause are the first and the longest wait before the question is asked again.
	firstListPause   = time.Minute
	longestListPause = time.Hour
)

// listing is how far the question has come.
type listing struct {
	running  bool        // it waits for its turn, is asked, or its chats are being read
	session  uint64      // in which it was answered and the chats were read
	failures int         // of this session
	again    *time.Timer // asks again after a failure
}

// restart forgets the failures of the session before.
func (l *listing) restart() {
	if l.again != nil {
		l.again.Stop()
	}
	l.failures, l.again = 0, nil
}

// pause is the wait after a failure: doubling, half of it random, and not before the archive may be asked at all.
func (l *listing) pause(resting time.Duration) time.Duration {
	full := min(firstListPause<<min(max(l.failures-1, 0), 10), longestListPause)
	return max(resting, 0) + full/2 + rand.N(full/2+1)
}

// askList gets the question going unless it was answered in this session. The lock is held.
func (h *history) askList() {
	session := h.cl.session()
	if h.cl.c.Config.Rooms.AtLogin != config.RoomsHistory || h.ctx == nil || session == nil || h.list.running || h.list.session == session.ID() {
		return
	}
	h.list.running = true
	if !h.cl.c.listTurns.take(h.readList) {
		h.list.running = false
		h.askListLater(errManyWait)
	}
}

// readList asks for the chats when it is the login's turn, and has those read that need it, without keeping the turn.
func (h *history) readList() {
	h.mu.Lock()
	ctx, session, wait := h.ctx, h.cl.session(), time.Until(h.resting)
	switch {
	case ctx == nil || session == nil || isOver(session):
		h.list.running = false // the state Online of the next session asks
	case wait > 0:
		h.endList(session, errSilent)
	default:
		h.work.Add(1) // not after stop, which takes the context away first
		h.mu.Unlock()
		h.readListIn(ctx, session)
		return
	}
	h.mu.Unlock()
}

func (h *history) readListIn(ctx context.Context, session *xmppside.Session) {
	defer h.work.Done()
	chats, first, err := h.toRead(ctx, session)
	if err == nil && len(chats) > 0 {
		h.work.Go(func() {
			err := h.readListed(ctx, session, chats, first)
			h.mu.Lock()
			defer h.mu.Unlock()
			h.endList(session, err)
		})
		return
	}
	if err == nil && first {
		err = h.readListed(ctx, session, nil, first)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.endList(session, err)
}

// endList notes how it went. The lock is held.
func (h *history) endList(session *xmppside.Session, err error) {
	h.list.running = false
	if err == nil {
		h.list.session = session.ID()
		return
	}
	if h.ctx == nil {
		return
	}
	if isOver(session) {
		h.askList() // in the session that has begun meanwhile
		return
	}
	h.askListLater(err)
}

// askListLater is called when the question has failed while the session goes on. The lock is held.
func (h *history) askListLater(err error) {
	h.list.failures++
	pause := h.list.pause(time.Until(h.resting))
	h.cl.log.Debug().Err(err).Dur("pause", pause).Msg("The chats of the archive have not all been read yet")
	h.list.again = time.AfterFunc(pause, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.askList()
	})
}

// toRead are the chats of the archive of which nothing is known, the one that began last first. One whose room was
// deleted is not among them, and neither is what somebody wrote whose request is not accepted.
func (h *history) toRead(ctx context.Context, session *xmppside.Session) (chats []string, first bool, err error) {
	setting, err := h.cl.c.db.Setting.Get(ctx, h.cl.id())
	if err != nil {
		return nil, false, err
	}
	first = setting.ListedAt.IsZero()
	chats, err = h.archivedChats(ctx, session, first)
	if err == nil {
		chats, err = h.cl.c.db.ArchiveRead.Unseen(ctx, h.cl.id(), chats)
	}
	chats = slices.DeleteFunc(chats, func(chat string) bool { return h.cl.people.isUndecided(ctx, chat) })
	return chats, first, err
}

// archivedChats are the chats that the archive has messages of, the one that began last first. Where the archive cannot
// be listed, thorough asks about the contacts one by one.
func (h *history) archivedChats(ctx context.Context, session *xmppside.Session, thorough bool) (chats []string, err error) {
	listCtx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := archive.List(listCtx, session)
	if err == nil {
		for _, conversation := range list {
			if chat := strings.ToLower(conversation.With.String()); chat != h.cl.id() {
				chats = append(chats, chat)
			}
		}
		return chats, nil
	}
	if !iq.Refused(err) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !isOver(session) {
			h.noteAnswer(err)
		}
		return nil, err
	}
	if !thorough {
		return nil, nil
	}
	contacts, err := h.cl.people.listed(ctx)
	if err != nil {
		return nil, err
	}
	for _, contact := range contacts[:min(len(contacts), maxAsked)] {
		chats = append(chats, contact.JID)
	}
	return chats, nil
}
