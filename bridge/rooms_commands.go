package bridge

import (
	"slices"

	"maunium.net/go/mautrix/bridgev2/commands"
)

// roomCommands replace commands of the framework that do not fit a service of direct chats: some would do nothing, some end in an error of the program.
func (c *Connector) roomCommands() []commands.CommandHandler {
	refused := func(section commands.HelpSection, name, sentence string, aliases ...string) commands.CommandHandler {
		return &commands.FullHandler{
			Func: func(ce *commands.Event) { ce.Reply("%s", sentence) }, Name: name, Aliases: aliases,
			Help: commands.HelpMeta{Section: section, Description: "Not possible here: " + sentence},
		}
	}
	return []commands.CommandHandler{
		&commands.FullHandler{
			Func: c.commandDeleteChat, Name: "delete-chat", RequiresPortal: true, RequiresLogin: true,
			Help: commands.HelpMeta{
				Section:     commands.HelpSectionChats,
				Description: "Delete this chat's room. The contact stays on your list, and a new message makes a new room.",
			},
		},
		&commands.FullHandler{
			Func: c.commandUnsetRelay, Name: "unset-relay", RequiresPortal: true,
			Help: commands.HelpMeta{Section: commands.HelpSectionAuth, Description: "Stop relaying messages sent by users who haven't logged in"},
		},
		&commands.FullHandler{
			Func: c.commandDiscardSession, Name: "discard-megolm-session", Aliases: []string{"discard-session"}, RequiresAdmin: true,
			Help: commands.HelpMeta{Section: commands.HelpSectionAdmin, Description: "Use new encryption keys in this room from the next message on."},
		},
		refused(commands.HelpSectionChats, "mute", service+" cannot mute chats. Please mute the room in your Matrix client.", "unmute"),
		refused(commands.HelpSectionChats, "create-group", service+" chats have two persons, so there are no groups to create. Use `start-chat` for a chat with one contact.", "create"),
		refused(commands.HelpSectionMisc, "import-image-pack", service+" has no stickers that could be fetched."),
	}
}

// commandDeleteChat lets go of the room and asks everybody to leave it.
func (c *Connector) commandDeleteChat(ce *commands.Event) {
	client := c.owner(ce.Portal)
	if client == nil || client.login.UserMXID != ce.User.MXID && !ce.User.Permissions.Admin {
		ce.Reply("This chat belongs to somebody else. You can leave the room.")
		return
	}
	if err := client.letGo(ce.Portal, ce.RoomID, false); err != nil {
		ce.Log.Err(err).Msg("A chat's room could not be deleted")
		ce.Reply("The room could not be deleted at the moment. Please try again in a minute.")
		return
	}
	ce.MessageStatus.DisableMSS = true // there is nobody left in the room to send it
}

// commandDiscardSession does what the framework's own does, which takes the Matrix side for the framework's type.
func (c *Connector) commandDiscardSession(ce *commands.Event) {
	if c.matrix.Crypto == nil {
		ce.Reply("This bridge does not encrypt. The administrator can switch it on in the section `encryption` of the configuration.")
		return
	}
	c.matrix.Crypto.ResetSession(ce.Ctx, ce.RoomID)
	ce.Reply("The next message in this room is encrypted with new keys.")
}

// commandUnsetRelay does what the framework's own does, which fails for chats that belong to one account.
func (c *Connector) commandUnsetRelay(ce *commands.Event) {
	relay := ce.Portal.Relay
	switch {
	case relay == nil:
		ce.Reply("This portal doesn't have a relay set.")
		return
	case !ce.User.Permissions.Admin && !(ce.User.Permissions.ManageRelay && slices.Contains(ce.User.GetUserLogins(), relay)):
		ce.Reply("You don't have permission to manage the relay in this room")
		return
	}
	ce.Portal.Relay, ce.Portal.RelayLoginID = nil, ""
	if err := ce.Portal.Save(ce.Ctx); err != nil {
		ce.Log.Err(err).Msg("A chat could not be stored without relay")
		ce.Reply("The relay could not be removed at the moment. Please try again in a minute.")
		return
	}
	ce.Reply("Stopped relaying messages for users who haven't logged in")
}
