package bridge

import (
	"context"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/archive"
	"matrix-messenger/xmppside/iq"
)

// The rooms that an account's archive makes when it signs in for the first time (setting rooms.at_login: history), and how old messages are marked as read.

const (
	// listTimeout bounds the question for the chats of the archive.
	listTimeout = 30 * time.Second
	// maxAsked bounds how many contacts are asked about one by one, where the archive cannot be listed.
	maxAsked = 500
)

// roomsAtLogin gives the chats of the archive their rooms, once for each login and in the background. When a session ends over it, the next one goes on.
func (h *history) roomsAtLogin() {
	if h.cl.c.Config.Rooms.AtLogin != config.RoomsHistory {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	session := h.cl.session()
	if h.ctx == nil || h.listing || session == nil {
		return
	}
	h.listing = true
	ctx := h.ctx
	h.work.Go(func() {
		if err := h.makeRooms(ctx, session); err != nil && ctx.Err() == nil {
			h.cl.log.Debug().Err(err).Msg("The chats of the archive have not all been given rooms yet")
		}
		h.mu.Lock()
		h.listing = false
		h.mu.Unlock()
	})
}

// makeRooms gives rooms to all chats of the archive, the first time, and later to those that began while nobody was there: a first message that was lost with its connection shows nowhere else.
func (h *history) makeRooms(ctx context.Context, session *xmppside.Session) error {
	setting, err := h.cl.c.db.Setting.Get(ctx, h.cl.id())
	if err != nil {
		return err
	}
	first := setting.ListedAt.IsZero()
	chats, err := h.archivedChats(ctx, session, first)
	if err != nil {
		return err
	}
	if !first {
		chats, err = h.neverRead(ctx, chats[:min(len(chats), readAtSignIn)])
		if err != nil {
			return err
		}
		h.mu.Lock()
		h.begun = map[string]bool{}
		for _, chat := range chats {
			h.begun[chat] = true
		}
		h.mu.Unlock()
	}
	pause := time.Minute / time.Duration(h.cl.c.Config.Limits.RoomsPerMinute)
	for _, chat := range chats {
		room, err := h.cl.people.roomOf(ctx, chat)
		if err != nil {
			return err
		}
		if room != "" {
			continue
		}
		added, err := h.fetchIn(ctx, session, chat)
		switch {
		case errors.Is(err, errSilent):
			return nil // there is no archive; the next sign-in asks again
		case isOver(session):
			return errSessionOver
		case ctx.Err() != nil:
			return ctx.Err()
		}
		// The room is made by the messages that were put into the queue.
		if added > 0 && !h.rest(ctx, session, pause) {
			return errSessionOver
		}
	}
	if !first {
		return nil
	}
	_, err = h.cl.c.db.Setting.Update(ctx, h.cl.id(), func(s *database.Setting) { s.ListedAt = time.Now() })
	return err
}

// neverRead are the chats of which the bridge has never asked the archive. One whose room was deleted is not among them.
func (h *history) neverRead(ctx context.Context, chats []string) (unknown []string, err error) {
	for _, chat := range chats {
		read, err := h.cl.c.db.ArchiveRead.Get(ctx, h.cl.id(), chat)
		if err != nil {
			return nil, err
		}
		if read.At.IsZero() {
			unknown = append(unknown, chat)
		}
	}
	return unknown, nil
}

// fetchIn is fetch behind everything that somebody waits for, unless the chat was read in this session.
func (h *history) fetchIn(ctx context.Context, session *xmppside.Session, chat string) (added int, err error) {
	h.mu.Lock()
	known := h.chat(chat)
	if known.read == h.session {
		h.mu.Unlock()
		return 0, nil
	}
	if !h.mayRead(known, time.Now()) {
		h.mu.Unlock()
		return 0, errSilent
	}
	job := h.enqueue(chat, false)
	h.mu.Unlock()
	if job == nil {
		return 0, nil
	}
	select {
	case <-job.done:
		return job.added, job.err
	case <-session.Done():
		return 0, errSessionOver
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// archivedChats are the chats that the archive has messages of, the one that began last first. Where the archive cannot be listed, thorough asks about the contacts one by one.
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

// rest waits while the session is up.
func (h *history) rest(ctx context.Context, session *xmppside.Session, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-session.Done():
	case <-ctx.Done():
	}
	return false
}

// markRead says in the user's name that a message and what is before it are read. Without a double puppet nobody can say so.
func (cl *Client) markRead(ctx context.Context, row database.Incoming) {
	puppet := cl.login.User.DoublePuppet(ctx)
	if puppet == nil {
		return
	}
	room, err := cl.people.roomOf(ctx, row.ChatID)
	if err == nil && room != "" {
		message, findErr := cl.c.br.DB.Message.GetLastPartByID(ctx, cl.login.ID, networkid.MessageID(row.DedupeKey))
		if message == nil || findErr != nil {
			return
		}
		err = puppet.MarkRead(ctx, room, message.MXID, time.Now())
	}
	if err != nil {
		cl.log.Debug().Err(err).Msg("Old messages could not be marked as read")
	}
}
