package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// A room in which nothing can be told for a reason that is neither the homeserver's nor passes, such as an encrypted room
// without its keys, is not tried for ever: what was to be told there is told in the user's room with the bot.

const (
	// tellFor is how long it is tried, from the end of the oldest message that is to be told. That time is stored with the
	// message, so that a restart does not begin it anew.
	tellFor = 24 * time.Hour
	// longestTellPause is the longest pause between two tries.
	longestTellPause = time.Hour
)

const noticeRoomUntold = "Something that you wrote to %s was not delivered, and that could not be said in the chat's room: something in the bridge fails over it, each time it is tried. " +
	"The first such message is of %s, and there are %d of them. What was to be told: “%s” Please tell your administrator, whose log has the error."

// tell tells in one room, after so many tries that came to nothing. A room in which nothing has been told for too long is let go.
func (t *teller) tell(ctx context.Context, room string, sofar tries) error {
	err := t.c.tellRoom(ctx, room)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if sofar.count(err); troubleOf(err) != troubleUnclear || !sofar.isHopeless(err) {
		return err
	}
	since, untold := t.c.db.Outbox.UntoldSince(ctx, room)
	if untold != nil || since.IsZero() || time.Since(since) < tellFor || !t.c.isSound(ctx) {
		return errors.Join(err, untold)
	}
	return t.c.letGoUntold(ctx, room, err)
}

// pause is how long a room rests after a try has failed.
func (t *tries) pause(err error) time.Duration {
	if troubleOf(err) == troubleUnclear {
		return backoffUpTo(t.unclear, longestTellPause)
	}
	return backoff(t.failed)
}

// letGoUntold tells in the user's room with the bot what could not be told in a chat's room, once, and settles it. That a
// success was not reported is in the log alone. An error means that it is to be tried again.
func (c *Connector) letGoUntold(ctx context.Context, room string, reason error) error {
	c.telling.Lock(room)
	defer c.telling.Unlock(room)
	var failed, confirmed int
	for {
		rows, err := c.db.Outbox.Untold(ctx, room, tellPage)
		if err == nil && len(rows) > 0 && failed == 0 {
			err = c.tellElsewhere(ctx, room, rows)
		}
		if err == nil {
			err = c.db.Outbox.MarkTold(ctx, database.Seqs(rows)...)
		}
		if err != nil {
			return err
		}
		failed += len(rows)
		if len(rows) < tellPage {
			break
		}
	}
	for {
		rows, err := c.db.Outbox.Unreported(ctx, room, tellPage)
		if err == nil {
			err = c.db.Outbox.MarkReported(ctx, database.Seqs(rows)...)
		}
		if err != nil {
			return err
		}
		confirmed += len(rows)
		if len(rows) < tellPage {
			break
		}
	}
	c.log.Error().Err(reason).Str("room_id", room).Int("undelivered", failed).Int("delivered", confirmed).
		Msg("How messages ended could not be told in their room and is not tried any more")
	return nil
}

// tellElsewhere tells the user of a chat in the room with the bot how messages of theirs ended. An error means that it is to be
// tried again; what fails there as it does in the chat's room is logged.
func (c *Connector) tellElsewhere(ctx context.Context, room string, rows []database.OutboxMessage) error {
	first := rows[0]
	user, name := c.userOf(ctx, first), first.ChatID
	if client := c.client(networkid.UserLoginID(first.LoginID)); client != nil {
		name = client.people.privateName(ctx, first.ChatID)
	}
	if user == nil {
		return nil
	}
	var reasons []string
	seen, events := map[string]bool{}, map[string]bool{}
	for _, row := range rows {
		events[row.EventID] = true
		if !seen[row.Error] {
			seen[row.Error] = true
			reasons = append(reasons, clip(oneLine(row.Error), 300))
		}
	}
	text := fmt.Sprintf(noticeRoomUntold, name, first.QueuedAt.UTC().Format("2006-01-02 15:04 UTC"), len(events), strings.Join(reasons, "” “"))
	within, cancel := context.WithTimeout(stablesend.WithKey(ctx, "let go "+room+" "+first.StanzaID), noticeTimeout)
	defer cancel()
	management, err := user.GetManagementRoom(within)
	if err == nil {
		err = c.sendNotice(within, management, "", text)
	}
	if err != nil && troubleOf(err) == troublePasses {
		return err
	} else if err != nil {
		c.log.Warn().Err(err).Str("room_id", room).Msg("Nor can it be told in the user's room with the bot")
	}
	return nil
}

// userOf is whose account a message was sent with; after a logout, who has written it. It is nil for nobody we know.
func (c *Connector) userOf(ctx context.Context, row database.OutboxMessage) *bridgev2.User {
	if client := c.client(networkid.UserLoginID(row.LoginID)); client != nil {
		return client.login.User
	}
	user, err := c.br.GetExistingUserByMXID(ctx, id.UserID(row.SenderMXID))
	if err != nil {
		c.log.Warn().Err(err).Msg("Who has written a message cannot be read")
	}
	return user
}
