package bridge

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"

	"matrix-messenger/xmppside"
)

// presenceCommands are the command `presence` (design.md section 5).
func (c *Connector) presenceCommands() []commands.CommandHandler {
	return []commands.CommandHandler{
		&commands.FullHandler{
			Func: c.commandPresence, Name: "presence", RequiresLogin: true,
			Help: commands.HelpMeta{
				Section: helpSection, Args: "[_login ID_] [available|busy|away|invisible|auto] [_status text_]",
				Description: "Show or choose what your " + service + " contacts see of you. `auto` follows your Matrix presence.",
			},
		},
	}
}

func (c *Connector) commandPresence(ce *commands.Event) {
	clients := c.logins(ce)
	mode, text := "", ""
	if len(ce.Args) > 0 {
		mode = strings.ToLower(ce.Args[0])
		if fields := strings.SplitN(strings.TrimSpace(ce.RawArgs), ce.Args[0], 2); len(fields) == 2 {
			text = oneLine(fields[1])
		}
		switch mode {
		case modeAuto, modeAvailable, modeBusy, modeAway, modeInvisible:
		default:
			ce.Reply("“%s” is not a presence. Please choose one of `available`, `busy`, `away`, `invisible` and `auto`, and put the text your contacts are to see behind it.", clip(oneLine(mode), 50))
			return
		}
	}
	var lines []string
	for _, client := range clients {
		choice, shows, err := client.presence.set(ce, mode, text)
		if err != nil {
			ce.Log.Err(err).Msg("The presence could not be stored")
			ce.Reply("Your presence could not be stored. Please try again in a minute.")
			return
		}
		line := presenceText(choice, shows)
		if len(clients) > 1 {
			line = client.id() + ": " + line
		}
		if client.session() == nil {
			line += " There is no connection at the moment; it will be shown when there is one."
		}
		lines = append(lines, line)
	}
	replyLines(ce, lines)
}

// set changes the presence when a mode is given, and says how it is.
func (p *presence) set(ce *commands.Event, mode, text string) (presenceChoice, xmppside.Presence, error) {
	shows, err := p.choose(ce.Ctx, func(choice *presenceChoice) {
		if mode != "" {
			choice.mode, choice.text = mode, text
		}
	})
	p.own.mu.Lock()
	defer p.own.mu.Unlock()
	return p.own.choice, shows, err
}

// presenceText says what contacts see, and why.
func presenceText(choice presenceChoice, shows xmppside.Presence) string {
	seen := "available"
	switch {
	case shows.Invisible:
		seen = "offline"
	case shows.Show != "":
		seen = map[string]string{"dnd": "busy", "away": "away"}[string(shows.Show)]
	}
	line := fmt.Sprintf("Your "+service+" contacts see you as %s", seen)
	if shows.Status != "" {
		line += ", with the message “" + shows.Status + "”"
	}
	switch {
	case choice.mode == modeInvisible:
		return line + ". You stay connected and still receive messages, unless " + service + " keeps them for you until you are seen again. The command presence auto ends this."
	case choice.mode != modeAuto:
		return line + ", because you chose so. The command presence auto follows your Matrix presence again."
	}
	return line + ". This follows your Matrix presence."
}
