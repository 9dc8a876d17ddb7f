package bridge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// helpSection is where our commands stand in the bot's help.
var helpSection = commands.HelpSection{Name: "Messenger", Order: 15}

// commands are the bot's commands of design.md section 5 beside the framework's own.
func (c *Connector) commands() []commands.CommandHandler {
	return slices.Concat([]commands.CommandHandler{
		&commands.FullHandler{
			Func: c.commandStatus, Name: "status", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_]", Description: "Show how your sessions are doing: state, since when, last problem."},
		},
	}, c.contactCommands(), c.requestCommands(), c.presenceCommands(), c.historyCommands())
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
	var lines []string
	for _, client := range c.logins(ce) {
		line := fmt.Sprintf("* `%s` — %s", client.id(), client.describe(time.Now()))
		if waiting, err := c.db.Outbox.Open(ce.Ctx, client.id()); err == nil && len(waiting) > 0 {
			line += fmt.Sprintf(" %d of your messages wait to be sent.", len(waiting))
		}
		lines = append(lines, line)
	}
	ce.Reply("%s", strings.Join(lines, "\n"))
}

// reply to a command about a login, with the login named when there are several.
func (cl *Client) label(all []*Client) string {
	if len(all) < 2 {
		return ""
	}
	return fmt.Sprintf("**%s**\n\n", cl.id())
}

var _ bridgev2.NetworkConnector = (*Connector)(nil)
