package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/database"
)

// A message that the homeserver refuses for good is taken out of its chat's way. It is kept, and tried again when the room's
// permissions change or its user asks for it.

const noticeSetAside = "A message from %s of %s could not be shown in its room, because the homeserver refused it%s. " +
	"The bridge keeps it for %d days, and others that are refused likewise, without telling you of each. " +
	"If the room's permissions keep the contact from writing, change them, and the bridge tries again by itself; else please ask your administrator, and write `retry` when it is put right."

// setAside takes a message out of its chat's way that the homeserver refuses, and says so in the user's room with the bot: once
// for a chat and a reason, until something gets into the room again.
func (in *inbound) setAside(ctx context.Context, row database.Incoming, reason error) error {
	in.cl.log.Error().Err(reason).Int64("row", row.Seq).Str("kind", row.Kind).Msg("A message from " + service + " was set aside")
	var what incoming
	readable := json.Unmarshal(row.Body, &what) == nil && row.Kind != kindNotice
	err := in.cl.c.db.Write(ctx, func(ctx context.Context) error {
		if readable { // known from now on, else the next reading of the archive would bring it again
			if err := in.cl.logIncoming(ctx, row, what); err != nil {
				return err
			}
		}
		return in.cl.c.db.MessengerInbox.SetAside(ctx, row.Seq, reason.Error())
	})
	if err != nil {
		return err
	}
	in.end(row)
	in.cl.c.metrics.result(toMatrix, resultRefused)
	code := refusalCode(reason)
	if in.refusals.isTold(row.ChatID, code) {
		return nil
	}
	why := ""
	if code != "" {
		why = " (" + clip(oneLine(code), 100) + ")"
	}
	text := fmt.Sprintf(noticeSetAside, in.cl.people.name(ctx, row.ChatID), row.Stamp.UTC().Format("2006-01-02 15:04 UTC"), why, int(keepSettled/(24*time.Hour)))
	if in.cl.tellUser(ctx, text) {
		in.refusals.note(row.ChatID, code)
	}
	return nil
}

// refusalCode is the homeserver's name for its reason, empty when it gave none.
func refusalCode(reason error) string {
	var answer mautrix.HTTPError
	if !errors.As(reason, &answer) || answer.RespError == nil {
		return ""
	}
	return answer.RespError.ErrCode
}

// refusals is what a user was told about messages that were set aside: by chat, the reason that was given last. It has the
// chats into which nothing has got since.
type refusals struct {
	mu   sync.Mutex
	told map[string]string
}

func (r *refusals) isTold(chat, code string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, told := r.told[chat]
	return told && last == code
}

func (r *refusals) note(chat, code string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told == nil {
		r.told = map[string]string{}
	}
	r.told[chat] = code
}

func (r *refusals) forget(chat string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.told, chat)
}

// retry puts what was set aside back into the queues, of one chat or with an empty ID of all, and says how many messages that
// are. They come behind what is in their rooms already, and before what waits.
func (in *inbound) retry(ctx context.Context, chat string) (count int, err error) {
	chats, err := in.cl.c.db.MessengerInbox.Restore(ctx, in.cl.id(), chat)
	for _, chat := range chats {
		in.refusals.forget(chat) // whoever asked wants to know how it went
		in.kick(chat)
	}
	return len(chats), err
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
		ce.Reply("No message is kept that the homeserver refused.")
	case 1:
		ce.Reply("One message is being tried again. You are told if the homeserver refuses it once more.")
	default:
		ce.Reply("%d messages are being tried again. You are told if the homeserver refuses them once more.", count)
	}
}
