package bridge

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"
)

// contactCommands are the commands about contacts (design.md section 5).
func (c *Connector) contactCommands() []commands.CommandHandler {
	return []commands.CommandHandler{
		&commands.FullHandler{
			Func: c.commandContacts, Name: "contacts", RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "[_login ID_] [_who_]", Description: "List your " + service + " contacts, or show what is known of one."},
		},
		&commands.FullHandler{
			Func: c.commandNoChange, Name: "remove-contact", Aliases: []string{"rename-contact", "block-contact"}, RequiresLogin: true,
			Help: commands.HelpMeta{Section: helpSection, Args: "<_who_>", Description: service + " does not allow removing or renaming contacts from here; this says what to do instead."},
		},
	}
}

// maxReply is how many bytes of a list go into one message.
const maxReply = 30_000

// replyLines sends a list as plain text, in as many messages as it needs: names are what people chose, and are not to be taken for formatting.
func replyLines(ce *commands.Event, lines []string) {
	text := ""
	for _, line := range lines {
		if text != "" && len(text)+len(line) > maxReply {
			ce.ReplyAdvanced(text, false, false)
			text = ""
		}
		if text != "" {
			text += "\n"
		}
		text += line
	}
	if text != "" {
		ce.ReplyAdvanced(text, false, false)
	}
}

// heading names the account that lines belong to when there are several.
func heading(client *Client, all []*Client) []string {
	if len(all) < 2 {
		return nil
	}
	return []string{client.id() + ":"}
}

func (c *Connector) commandContacts(ce *commands.Event) {
	clients := c.logins(ce)
	if strings.TrimSpace(ce.RawArgs) != "" {
		c.showContact(ce, clients)
		return
	}
	var lines []string
	for _, client := range clients {
		contacts, err := client.people.listed(ce.Ctx)
		if err != nil {
			ce.Log.Err(err).Msg("The contacts cannot be read")
			ce.Reply("The contacts cannot be read at the moment. Please try again in a minute.")
			return
		}
		lines = append(lines, heading(client, clients)...)
		for _, contact := range contacts {
			lines = append(lines, fmt.Sprintf("%s — %s — %s", oneLine(privateName(contact)), contact.JID, client.people.stateOf(contact)))
		}
		if len(contacts) == 0 {
			lines = append(lines, c.fitting(ce, "No contacts yet. Ask somebody with the command `start-chat` and their e-mail address."))
		}
	}
	replyLines(ce, lines)
}

// showContact answers `contacts <who>`.
func (c *Connector) showContact(ce *commands.Event, clients []*Client) {
	var all []candidate
	for _, client := range clients {
		known, err := client.people.known(ce.Ctx)
		if err != nil {
			ce.Log.Err(err).Msg("The contacts cannot be read")
			ce.Reply("The contacts cannot be read at the moment. Please try again in a minute.")
			return
		}
		all = append(all, known...)
	}
	found, err := who(ce, all, ce.RawArgs, "contact")
	if err != nil {
		ce.ReplyAdvanced(err.Error(), false, false)
		return
	}
	contact, _, err := c.db.Contact.Get(ce.Ctx, found.client.id(), found.jid)
	if err != nil {
		ce.Log.Err(err).Msg("A contact cannot be read")
		ce.Reply("The contact cannot be read at the moment. Please try again in a minute.")
		return
	}
	lines := []string{fmt.Sprintf("%s — %s — %s", oneLine(privateName(contact)), contact.JID, found.client.people.stateOf(contact))}
	if contact.Email != "" {
		lines = append(lines, "E-mail address: "+contact.Email)
	}
	if status := found.client.presence.of(contact.JID).Status; status != "" {
		lines = append(lines, "Personal message: "+oneLine(status))
	}
	if contact.VCardName != "" && contact.VCardName != plainName(contact) {
		lines = append(lines, "Calls themselves: "+oneLine(contact.VCardName))
	}
	replyLines(ce, lines)
}

func (c *Connector) commandNoChange(ce *commands.Event) { ce.Reply("%s", textNoRosterChange) }
