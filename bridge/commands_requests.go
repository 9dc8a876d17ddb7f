package bridge

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"

	"matrix-messenger/database"
)

// requestCommands are the commands about contact requests (design.md section 5).
func (c *Connector) requestCommands() []commands.CommandHandler {
	return []commands.CommandHandler{
		&commands.FullHandler{
			Func: c.commandRequests, Name: "requests", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_]", Description: "List contact requests that wait for an answer: other people's, and yours."},
		},
		&commands.FullHandler{
			Func: func(ce *commands.Event) { c.commandDecide(ce, true) }, Name: "accept", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_] <_who_>", Description: "Accept somebody's contact request."},
		},
		&commands.FullHandler{
			Func: func(ce *commands.Event) { c.commandDecide(ce, false) }, Name: "decline", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_] <_who_>", Description: "Decline somebody's contact request. They can ask again later."},
		},
	}
}

// requestState says how a request stands, in the words of the list.
func requestState(row database.Request) string {
	switch {
	case row.Direction == database.RequestOut && row.NotifiedAt.IsZero():
		return "your request, not sent yet"
	case row.Direction == database.RequestOut:
		return "your request, not answered yet"
	case row.State == database.RequestPending:
		return "wants to be your contact"
	case row.State == database.RequestAccepting && !row.NotifiedAt.IsZero():
		return "accepted, but " + service + " did not take the answer; it is told again with each new connection"
	case row.State == database.RequestAccepting:
		return "accepted, " + service + " is still to be told"
	}
	return "declined, " + service + " is still to be told"
}

func (c *Connector) commandRequests(ce *commands.Event) {
	clients := c.logins(ce)
	var lines []string
	for _, client := range clients {
		rows, err := c.db.Request.List(ce.Ctx, client.id(), "", "")
		if err != nil {
			ce.Log.Err(err).Msg("The requests cannot be read")
			ce.Reply("The requests cannot be read at the moment. Please try again in a minute.")
			return
		}
		lines = append(lines, heading(client, clients)...)
		open := 0
		for _, row := range rows {
			if row.Decided() {
				continue
			}
			open++
			line := fmt.Sprintf("%s — %s — %s", oneLine(client.people.privateName(ce.Ctx, row.JID)), row.JID, requestState(row))
			if row.Text != "" {
				line += " (“" + oneLine(clip(row.Text, 200)) + "”)"
			}
			lines = append(lines, line)
		}
		if open == 0 {
			lines = append(lines, "No contact request waits for an answer.")
		}
	}
	replyLines(ce, lines)
}

// commandDecide is `accept` and `decline`.
func (c *Connector) commandDecide(ce *commands.Event, accept bool) {
	var all []candidate
	for _, client := range c.logins(ce) {
		askers, err := client.people.askers(ce.Ctx)
		if err != nil {
			ce.Log.Err(err).Msg("The requests cannot be read")
			ce.Reply("The requests cannot be read at the moment. Please try again in a minute.")
			return
		}
		all = append(all, askers...)
	}
	if strings.TrimSpace(ce.RawArgs) == "" && ce.Portal == nil && len(all) == 0 {
		ce.Reply("No contact request waits for an answer.")
		return
	}
	found, err := who(ce, all, ce.RawArgs, "undecided contact request from somebody")
	if err != nil {
		ce.ReplyAdvanced(err.Error(), false, false)
		return
	}
	state := database.RequestDeclining
	if accept {
		state = database.RequestAccepting
	}
	moved, err := found.client.people.settle(ce.Ctx, found.jid, state)
	if err != nil {
		ce.Log.Err(err).Msg("The answer to a request could not be stored")
		ce.Reply("Your answer could not be stored. Please try again in a minute.")
		return
	}
	ce.ReplyAdvanced(decisionText(found, accept, moved, found.client.session() != nil), false, false)
	if moved {
		found.client.people.carryOut(found.jid) // after the answer: declining removes the room, perhaps this one
	}
}

// decisionText answers the user who has decided.
func decisionText(who candidate, accept, moved, connected bool) string {
	name := oneLine(who.name)
	if !moved {
		return "The request of " + name + " has been answered already."
	}
	later := ""
	if !connected {
		later = " There is no connection to " + service + " at the moment; it will be told as soon as there is one, and you need not do anything."
	}
	if accept {
		return "You have accepted the request of " + name + ", and your chat is ready." + later
	}
	return "You have declined the request of " + name + ". They can ask again later." + later
}
