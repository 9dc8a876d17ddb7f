package chaos

import (
	"context"
	"fmt"

	"matrix-messenger/messengerd"
)

// Windows of a Tight round. With them, what the archive has to tell always fits into the ten messages that it shows, whatever breaks: at most userWindow messages of the user
// are on their way, and so unconfirmed, in a chat, and as neither side gets more than lead messages ahead of what the other one has had, at most 2*lead+userWindow-1 of the contact
// come between the oldest of them and now. Together that is nine, and the tenth is one that is known.
const (
	userWindow    = 2
	contactWindow = 4
	lead          = 3
)

func textOf(c *chat, fromUser bool, n int) string {
	if fromUser {
		return fmt.Sprintf("user→%s %06d", c.name, n)
	}
	return fmt.Sprintf("%s→user %06d", c.name, n)
}

// numbersIn are the numbers of those texts that are of one direction of a chat; others counts the rest.
func numbersIn(c *chat, fromUser bool, texts []string) (numbers []int, others []string) {
	prefix := textOf(c, fromUser, 0)
	prefix = prefix[:len(prefix)-6]
	for _, text := range texts {
		var n int
		if len(text) <= len(prefix) || text[:len(prefix)] != prefix {
			others = append(others, text)
			continue
		}
		if _, err := fmt.Sscanf(text[len(prefix):], "%d", &n); err != nil {
			others = append(others, text)
			continue
		}
		numbers = append(numbers, n)
	}
	return numbers, others
}

// talk lets both sides of every chat send n messages, as fast as the windows allow. The errors are the talkers', one each.
func (w *World) talk(ctx context.Context, n int) <-chan error {
	ended := make(chan error, 2*len(w.chats))
	for _, c := range w.chats {
		w.talks.Go(func() { ended <- w.userTalks(ctx, c, n) })
		w.talks.Go(func() { ended <- w.contactTalks(ctx, c, n) })
	}
	return ended
}

// userTalks sends the user's messages; the greeting came before them.
func (w *World) userTalks(ctx context.Context, c *chat, n int) error {
	for i := 1; i <= n; i++ {
		if err := w.waitReceived(ctx, c, 1+i-userWindow); err != nil {
			return fmt.Errorf("%s waits for the user's message %d: %w", c.name, i-userWindow, err)
		}
		if err := w.waitShown(ctx, c, 1+i-lead); err != nil {
			return fmt.Errorf("the user waits for message %d of %s: %w", i-lead, c.name, err)
		}
		if err := w.turn(ctx); err != nil {
			return err
		}
		if err := w.userSays(c, i); err != nil {
			return err
		}
	}
	if err := w.waitReceived(ctx, c, 1+n); err != nil {
		return fmt.Errorf("%s waits for the user's message %d: %w", c.name, n, err)
	}
	return nil
}

func (w *World) userSays(c *chat, i int) error {
	_, err := w.s.Alice.SendText(c.room, textOf(c, true, i))
	w.note()
	return err
}

// contactTalks sends a contact's messages.
func (w *World) contactTalks(ctx context.Context, c *chat, n int) error {
	for i := 1; i <= n; i++ {
		if err := w.waitShown(ctx, c, 1+i-contactWindow); err != nil {
			return fmt.Errorf("the room waits for message %d of %s: %w", i-contactWindow, c.name, err)
		}
		if err := w.waitReceived(ctx, c, 1+i-lead); err != nil {
			return fmt.Errorf("%s waits for message %d of the user: %w", c.name, i-lead, err)
		}
		if err := w.turn(ctx); err != nil {
			return err
		}
		if err := w.contactSays(c, i); err != nil {
			return err
		}
	}
	if err := w.waitShown(ctx, c, 1+n); err != nil {
		return fmt.Errorf("the room waits for message %d of %s: %w", n, c.name, err)
	}
	return nil
}

func (w *World) contactSays(c *chat, i int) (err error) {
	w.service(func(s *messengerd.Server) { err = s.Account(c.jid).SendMessage(userMail, textOf(c, false, i)) })
	w.note()
	return err
}
