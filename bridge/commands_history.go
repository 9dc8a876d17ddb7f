package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"

	"matrix-messenger/xmppside/iq"
)

// historyCommands is the command about the archive (design.md section 5).
func (c *Connector) historyCommands() []commands.CommandHandler {
	return []commands.CommandHandler{
		&commands.FullHandler{
			Func: c.commandHistory, Name: "history", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_] [_who_]", Description: "Fill this chat, or the one with somebody, with what " + service + "'s archive has and the room does not show."},
		},
	}
}

func (c *Connector) commandHistory(ce *commands.Event) {
	clients := c.logins(ce)
	if !c.Config.Archive.Enabled {
		ce.Reply("This bridge does not read " + service + "'s archive: its administrator has switched it off (`archive.enabled`).")
		return
	}
	client, chat, err := historyOf(ce, clients)
	if err != nil {
		ce.ReplyAdvanced(err.Error(), false, false)
		return
	}
	ctx, cancel := context.WithTimeout(ce.Ctx, readPatience)
	defer cancel()
	added, err := client.history.fetch(ctx, chat)
	c.answer(ce, historyAnswer(added, err))
}

// historyOf is the chat that the command means: the one it is written in, unless somebody is named.
func historyOf(ce *commands.Event, clients []*Client) (*Client, string, error) {
	if ce.Portal != nil && strings.TrimSpace(ce.RawArgs) == "" && len(clients) == 1 {
		return clients[0], string(ce.Portal.ID), nil
	}
	var all []candidate
	for _, client := range clients {
		known, err := client.people.known(ce.Ctx)
		if err != nil {
			ce.Log.Err(err).Msg("The contacts cannot be read")
			return nil, "", told("The contacts cannot be read at the moment. Please try again in a minute.")
		}
		all = append(all, known...)
	}
	found, err := who(ce, all, ce.RawArgs, "contact")
	return found.client, found.jid, err
}

// historyAnswer says in words what came of reading the archive.
func historyAnswer(added int, err error) string {
	switch {
	case err == nil && added == 0:
		return service + "'s archive has nothing that this chat does not show already."
	case err == nil && added == 1:
		return "One message from " + service + "'s archive is being added to this chat."
	case err == nil:
		return fmt.Sprintf("%d messages from "+service+"'s archive are being added to this chat.", added)
	case errors.Is(err, errDisconnected), errors.Is(err, errSessionOver):
		return "There is no connection to " + service + " at the moment. Please try again when there is one; the command `status` shows it."
	case errors.Is(err, errUndecided):
		return "This person's contact request is not answered yet. Accept it first."
	case iq.Refused(err):
		return service + " does not give its archive to other programs at the moment."
	default:
		return service + "'s archive does not answer at the moment. Please try again in a few minutes."
	}
}
