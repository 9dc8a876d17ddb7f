package bridge

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/iq"
)

// The rooms that an account's archive makes when it signs in for the first time, and how old messages are marked as
// read.

// readListed reads the chats that the archive lists, and thereby gives them rooms: all of them the first time, and
// later those that began while nobody was there, because a first message that was lost with its connection shows
// nowhere else. When the session ends over it, the next one goes on.
func (h *history) readListed(ctx context.Context, session *xmppside.Session, chats []string, first bool) error {
	if !first {
		chats = chats[:min(len(chats), readAtSignIn)]
		h.mu.Lock()
		h.begun = keySet(chats)
		h.mu.Unlock()
	}
	pause := time.Minute / time.Duration(h.cl.c.Config.Limits.RoomsPerMinute)
	for _, chat := range chats {
		room, err := h.cl.people.roomOf(ctx, chat)
		if err != nil {
			return err
		}
		if first && room != "" {
			continue
		}
		added, err := h.fetchIn(ctx, session, chat)
		switch {
		case iq.Refused(err):
			return nil // there is no archive; the next sign-in asks again
		case isOver(session):
			return errSessionOver
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errSilent), errors.Is(err, context.DeadlineExceeded):
			return errSilent
		}
		// The room is made by the messages that were put into the queue.
		if added > 0 && room == "" && !h.rest(ctx, session, pause) {
			return errSessionOver
		}
	}
	if !first {
		return nil
	}
	_, err := h.cl.c.db.Setting.Update(ctx, h.cl.id(), func(s *database.Setting) { s.ListedAt = time.Now() })
	return err
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
