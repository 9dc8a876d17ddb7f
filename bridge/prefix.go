package bridge

import (
	"regexp"

	"maunium.net/go/mautrix/bridgev2/commands"
)

// namedCommand is a command that a text names, alone or with its arguments.
var namedCommand = regexp.MustCompile("`([a-z]+(?:-[a-z]+)*)((?: [^`]*)?)`")

// inChat makes a text one for a chat: what is written there goes to the contact unless the prefix stands before it, so the
// commands that the text names get it. All texts name their commands without.
func (c *Connector) inChat(text string) string {
	return namedCommand.ReplaceAllStringFunc(text, func(found string) string {
		parts := namedCommand.FindStringSubmatch(found)
		if !c.isCommand(parts[1]) {
			return found
		}
		return "`" + c.br.Config.CommandPrefix + " " + parts[1] + parts[2] + "`"
	})
}

// isCommand tells whether the bot has a command of this name.
func (c *Connector) isCommand(name string) bool {
	c.commandNamesOnce.Do(func() {
		c.commandNames = map[string]bool{}
		for _, handler := range append(frameworkCommands(), c.commands()...) {
			c.commandNames[handler.GetName()] = true
			if aliased, ok := handler.(commands.AliasedCommandHandler); ok {
				for _, alias := range aliased.GetAliases() {
					c.commandNames[alias] = true
				}
			}
		}
	})
	return c.commandNames[name]
}

// frameworkCommands are the framework's commands that our texts may name.
func frameworkCommands() []commands.CommandHandler {
	return []commands.CommandHandler{
		commands.CommandHelp, commands.CommandLogin, commands.CommandRelogin, commands.CommandListLogins, commands.CommandLogout,
		commands.CommandStartChat, commands.CommandDeleteChat, commands.CommandSetRelay, commands.CommandUnsetRelay,
	}
}

// answer replies to a command, in words that fit the place where it was written.
func (c *Connector) answer(ce *commands.Event, text string) {
	ce.Reply("%s", c.fitting(ce, text))
}

// fitting is a text as the place needs it where a command was written.
func (c *Connector) fitting(ce *commands.Event, text string) string {
	if ce.Portal == nil {
		return text
	}
	return c.inChat(text)
}
