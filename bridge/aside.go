package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// A message that the homeserver refuses for good is taken out of its chat's way. It is kept, and tried again when the room's
// permissions change or its user asks for it.

const noticeSetAside = "A message from %s of %s could not be shown in its room, because the homeserver refused it%s. " +
	"The bridge keeps it for %d days, and others that are refused likewise, without telling you of each. " +
	"If the room's permissions keep the contact from writing, change them, and the bridge tries again by itself; else please ask your administrator, and write `retry` when it is put right."

const noticeSetAsideUnclear = "A message from %s of %s could not be shown in its room: something in the bridge or its database fails over it, each time it is tried. " +
	"The bridge keeps it for %d days, and others that fail likewise, without telling you of each. " +
	"Please tell your administrator, whose log has the error, and write `retry` when it is put right."

// setAside takes a message out of its chat's way that cannot be shown, and says so in the user's room with the bot: once for a
// chat and a reason, until something gets into the room again.
func (in *inbound) setAside(ctx context.Context, row database.Incoming, reason error) error {
	in.cl.log.Error().Err(reason).Int64("row", row.Seq).Str("kind", row.Kind).Msg("A message from " + service + " was set aside")
	var what incoming
	readable := json.Unmarshal(row.Body, &what) == nil && row.Kind != kindNotice
	// The message is known from now on, else the next reading of the archive would bring it again.
	err := in.end(ctx, row, readable, what, func(ctx context.Context) error {
		err := in.cl.c.db.Aside.Note(ctx, database.AsideNotice{LoginID: in.cl.id(), ChatID: row.ChatID, Reason: asideReason(reason), Stamp: row.Stamp})
		if err != nil {
			return err
		}
		return in.cl.c.db.MessengerInbox.SetAside(ctx, row.Seq, reason.Error())
	})
	if err != nil {
		return err
	}
	in.asides.set(row.ChatID, true)
	result := resultRefused
	if troubleOf(reason) != troubleRefused && !errors.Is(reason, errNoRoomAllowed) {
		result = resultFailed
	}
	in.cl.c.metrics.result(toMatrix, result)
	notice, found, err := in.cl.c.db.Aside.UntoldOf(ctx, in.cl.id(), row.ChatID)
	if err == nil && found {
		err = in.cl.tellAside(ctx, notice)
	}
	if err != nil {
		in.cl.log.Warn().Err(err).Msg("That a message was set aside is not told yet")
	}
	return nil
}

// reasonUnclear is the reason of what is set aside without the homeserver's having refused it.
const reasonUnclear = "unclear"

// asideReason is what is stored of the reason for setting a message aside: the homeserver's code, empty when it gave none.
func asideReason(reason error) string {
	if errors.Is(reason, errNoRoomAllowed) {
		return reasonFiltered
	}
	if troubleOf(reason) != troubleRefused {
		return reasonUnclear
	}
	return refusalCode(reason)
}

// tellAside tells the user that messages were set aside, and notes that it was told.
func (cl *Client) tellAside(ctx context.Context, n database.AsideNotice) error {
	days := int(keepSettled / (24 * time.Hour))
	when := n.Stamp.UTC().Format("2006-01-02 15:04 UTC")
	var text string
	switch name := cl.people.name(ctx, n.ChatID); n.Reason {
	case reasonUnclear:
		text = fmt.Sprintf(noticeSetAsideUnclear, name, when, days)
	case reasonFiltered:
		text = fmt.Sprintf(noticeFiltered, name, when, days)
	default:
		why := ""
		if n.Reason != "" {
			why = " (" + clip(oneLine(n.Reason), 100) + ")"
		}
		text = fmt.Sprintf(noticeSetAside, name, when, why, days)
	}
	within, cancel := context.WithTimeout(stablesend.WithKey(ctx, "aside "+n.LoginID+" "+n.ChatID+" "+n.NotedAt.Format(time.RFC3339Nano)), waitingTimeout)
	defer cancel()
	room, err := cl.login.User.GetManagementRoom(within)
	if err == nil {
		err = cl.c.sendNotice(within, room, "", text)
	}
	if err != nil && passing(err) {
		return fmt.Errorf("%w: %w", errNotTold, err)
	} else if err != nil {
		cl.log.Warn().Err(err).Stringer("room_id", room).Msg("A user cannot be told that messages were set aside")
	}
	return cl.c.db.Aside.MarkTold(ctx, n)
}

var errNotTold = errors.New("the user's room with the bot could not be written in")

// tellAsides tells what could not be told when it came about. It returns within a round. An error is the database's.
func (c *Connector) tellAsides(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, overseeInterval)
	defer cancel()
	notices, err := c.db.Aside.Untold(ctx, overseePage)
	if err != nil {
		return err
	}
	work := new(errgroup.Group)
	work.SetLimit(waitingsAtOnce)
	for _, notice := range notices {
		client := c.client(networkid.UserLoginID(notice.LoginID))
		if client == nil {
			continue
		}
		work.Go(func() error {
			err := client.tellAside(ctx, notice)
			if errors.Is(err, errNotTold) {
				client.log.Debug().Err(err).Msg("That a message was set aside is not told yet")
				return nil // the next round tries again
			}
			return err
		})
	}
	return work.Wait()
}

// refusalCode is the homeserver's name for its reason, empty when it gave none.
func refusalCode(reason error) string {
	var answer mautrix.HTTPError
	if !errors.As(reason, &answer) || answer.RespError == nil {
		return ""
	}
	return answer.RespError.ErrCode
}

// asides are the chats of an account about which there is a notice of something set aside; most handing over concerns none.
type asides struct {
	mu    sync.Mutex
	chats map[string]bool
}

func newAsides(cl *Client) asides { return asides{chats: maps.Clone(cl.c.noticed[cl.id()])} }

func (a *asides) has(chat string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chats[chat]
}

func (a *asides) set(chat string, is bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !is:
		delete(a.chats, chat)
	case a.chats == nil:
		a.chats = map[string]bool{chat: true}
	default:
		a.chats[chat] = true
	}
}

// wasAside tells a row that is tried again after it was set aside. It stands in its queue, and comes into its room, behind what
// was said after it; for the archive its place is the one in the log, where it was put when it was set aside.
func wasAside(row database.Incoming) bool { return row.Error != "" }

// retry puts what was set aside back into the queues, of one chat or with an empty ID of all, and says how many messages that
// are. They come behind what is in their rooms already, and before what waits.
func (in *inbound) retry(ctx context.Context, chat string) (count int, err error) {
	var chats []string
	err = in.cl.c.db.Write(ctx, func(ctx context.Context) (err error) {
		if chats, err = in.cl.c.db.MessengerInbox.Restore(ctx, in.cl.id(), chat); err != nil {
			return err
		}
		for _, chat := range chats { // whoever asked wants to know how it went
			if _, err = in.cl.c.db.Aside.Forget(ctx, in.cl.id(), chat); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, chat := range chats {
		in.kick(chat)
	}
	return len(chats), nil
}

// permissionsChanged tries again what the homeserver refused in a room before somebody changed its permissions.
func (c *Connector) permissionsChanged(ctx context.Context, evt *event.Event, portal *bridgev2.Portal) {
	client := c.owner(portal)
	if client == nil {
		return
	}
	count, err := client.inbound.retry(ctx, string(portal.ID))
	if err != nil {
		c.log.Err(err).Stringer("room_id", evt.RoomID).Msg("What was set aside cannot be tried again")
	} else if count > 0 {
		c.log.Info().Stringer("room_id", evt.RoomID).Int("messages", count).Msg("What was set aside is tried again, as the room's permissions were changed")
	}
}

// commandRetry is `retry`: inside a chat for this chat, else for all.
func (c *Connector) commandRetry(ce *commands.Event) {
	chat := ""
	if ce.Portal != nil {
		chat = string(ce.Portal.ID)
	}
	count := 0
	for _, client := range c.logins(ce) {
		more, err := client.inbound.retry(ce.Ctx, chat)
		if err != nil {
			ce.Log.Err(err).Msg("What was set aside cannot be tried again")
			ce.Reply("That is not possible at the moment. Please try again in a minute.")
			return
		}
		count += more
	}
	switch count {
	case 0:
		ce.Reply("No message is kept back, so there is nothing to try again.")
	case 1:
		ce.Reply("One message is being tried again. You are told if it cannot be shown once more.")
	default:
		ce.Reply("%d messages are being tried again. You are told if they cannot be shown once more.", count)
	}
}
