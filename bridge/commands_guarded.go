package bridge

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// guardedCommands are the framework's own with a question asked before: some take what was typed for something else than it is, one lets people at other people's logins.
func (c *Connector) guardedCommands() []commands.CommandHandler {
	guarded := func(original *commands.FullHandler, mayPass func(*commands.Event) bool) commands.CommandHandler {
		handler := *original
		handler.Func = func(ce *commands.Event) {
			if mayPass(ce) {
				original.Func(ce)
			}
		}
		return &handler
	}
	return []commands.CommandHandler{
		guarded(commands.CommandRelogin, c.isOwnLogin),
		guarded(commands.CommandStartChat, c.isSomebodyElse),
		guarded(commands.CommandResolveIdentifier, c.isSomebodyElse),
		guarded(commands.CommandDeletePortal, c.isNobodysChat),
		c.filterCommand(),
	}
}

// isNobodysChat lets the framework delete what it has of a chat whose account is gone. A living one loses its room only, as
// by `delete-chat`: the framework would first forget the chat and then empty the room, and a crash between the two, or a
// homeserver that refuses, would leave people in a room that leads nowhere.
func (c *Connector) isNobodysChat(ce *commands.Event) bool {
	if c.owner(ce.Portal) == nil {
		return true
	}
	c.commandDeleteChat(ce)
	return false
}

// isOwnLogin refuses to sign in again to what is not the user's: the framework would end the other person's login afterwards.
func (c *Connector) isOwnLogin(ce *commands.Event) bool {
	if len(ce.Args) == 0 {
		return true
	}
	ce.Args[0] = strings.ToLower(ce.Args[0])
	if client := c.client(networkid.UserLoginID(ce.Args[0])); client != nil && client.login.UserMXID == ce.User.MXID {
		return true
	}
	c.answer(ce, fmt.Sprintf("You have no login `%s`. See yours with the command `list-logins`.", ce.Args[0]))
	return false
}

// isSomebodyElse answers who looks for their own account, which the framework takes for the login to look with.
func (c *Connector) isSomebodyElse(ce *commands.Event) bool {
	if len(ce.Args) != 1 {
		return true
	}
	if client := c.client(networkid.UserLoginID(strings.ToLower(ce.Args[0]))); client == nil || client.login.UserMXID != ce.User.MXID {
		return true
	}
	ce.Reply("That is your own account. Please give the address of somebody else.")
	return false
}
