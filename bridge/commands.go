package bridge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
)

// helpSection is where our commands stand in the bot's help.
var helpSection = commands.HelpSection{Name: service, Order: 15}

// commands are the bot's commands of design.md section 5 beside the framework's own.
func (c *Connector) commands() []commands.CommandHandler {
	return slices.Concat([]commands.CommandHandler{
		&commands.FullHandler{
			Func: c.commandStatus, Name: "status",
			Help: commands.HelpMeta{
				Section: helpSection, Args: "[_login ID_ | `all`]",
				Description: "Show how your sessions are doing: state, since when, last problem. Administrators can see `all` sessions of the bridge.",
			},
		},
		&commands.FullHandler{
			Func: c.commandReconnect, Name: "reconnect", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_]", Description: "Connect again now, for instance after another sign-in has ended yours."},
		},
		&commands.FullHandler{
			Func: c.commandRetry, Name: "retry", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_]", Description: "Try again to show messages that the homeserver refused: of this chat, or in your room with the bot of all chats."},
		},
	}, c.contactCommands(), c.requestCommands(), c.presenceCommands(), c.historyCommands(), c.roomCommands(), c.exportCommands(), c.guardedCommands())
}

// logins are the clients that a command concerns: with several accounts, a login ID may come first in the arguments (it is then taken off); else, inside a chat, its
// own login; else all of the user's, in a steady order.
func (c *Connector) logins(ce *commands.Event) []*Client {
	if len(ce.Args) > 0 {
		if client := c.client(networkid.UserLoginID(strings.ToLower(ce.Args[0]))); client != nil && client.login.UserMXID == ce.User.MXID {
			ce.Args = ce.Args[1:]
			ce.RawArgs = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(ce.RawArgs), strings.Fields(ce.RawArgs)[0]))
			return []*Client{client}
		}
	}
	if ce.Portal != nil {
		if client := c.client(ce.Portal.Receiver); client != nil && client.login.UserMXID == ce.User.MXID {
			return []*Client{client}
		}
	}
	var all []*Client
	for _, login := range ce.User.GetUserLogins() {
		if client, ok := login.Client.(*Client); ok {
			all = append(all, client)
		}
	}
	slices.SortFunc(all, func(a, b *Client) int { return strings.Compare(a.id(), b.id()) })
	return all
}

func (c *Connector) commandStatus(ce *commands.Event) {
	if len(ce.Args) > 0 && strings.EqualFold(ce.Args[0], "all") {
		c.commandStatusAll(ce)
		return
	}
	var lines []string
	for _, client := range c.logins(ce) {
		line := fmt.Sprintf("* `%s` — %s", client.id(), client.describe(time.Now()))
		if waiting, err := c.db.Outbox.Open(ce.Ctx, client.id()); err == nil && len(waiting) > 0 {
			line += fmt.Sprintf(" %d of your messages wait to be sent.", len(waiting))
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		lines = append(lines, "You are not signed in to "+service+". Sign in with the command `login`.")
	}
	c.answer(ce, strings.Join(lines, "\n"))
}

// mostSessions is how many sessions the overview for administrators lists one by one.
const mostSessions = 200

// commandStatusAll is the overview of all sessions: how many are in which state, and those that are not well.
func (c *Connector) commandStatusAll(ce *commands.Event) {
	if !ce.User.Permissions.Admin {
		ce.Reply("Only administrators of the bridge can see everybody's sessions. Leave out `all` to see your own.")
		return
	}
	clients := c.allClients()
	slices.SortFunc(clients, func(a, b *Client) int { return strings.Compare(a.id(), b.id()) })
	counts := map[string]int{}
	var unwell []string
	for _, client := range clients {
		state := string(client.stateName())
		counts[state]++
		if state != string(status.StateConnected) && len(unwell) < mostSessions {
			unwell = append(unwell, fmt.Sprintf("* `%s` of %s — %s", client.id(), client.login.UserMXID, client.describe(time.Now())))
		}
	}
	lines := []string{fmt.Sprintf("There are %d sessions.", len(clients))}
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("* %s: %d", state, counts[state]))
	}
	if len(unwell) > 0 {
		lines = append(lines, "", "Not connected:")
		lines = append(lines, unwell...)
	}
	ce.Reply("%s", strings.Join(lines, "\n"))
}

func (c *Connector) commandReconnect(ce *commands.Event) {
	for _, client := range c.logins(ce) {
		client.Connect(ce.Ctx)
	}
	c.answer(ce, "Connecting again. See how it goes with the command `status`.")
}
