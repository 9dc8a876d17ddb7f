package bridge

import (
	"context"
	"strings"
	"sync"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	wire "matrix-messenger/xmppside/presence"
)

// ownPresence is what the account shows to its contacts: what the user chose with the command `presence`, or what the homeserver says of them. It is stored, so that a
// sign-in shows the same as before.
type ownPresence struct {
	mu     sync.Mutex
	read   bool
	choice presenceChoice
}

// presenceChoice is what decides. In the table of settings it is one word: the mode, and behind a stroke what Matrix said last.
type presenceChoice struct {
	mode   string // one of the modes; auto follows Matrix
	text   string // the personal message that was chosen
	matrix event.Presence
	said   string // the status message in Matrix, not stored: it comes with each presence
}

// Modes of the command `presence`.
const (
	modeAuto      = "auto"
	modeAvailable = "available"
	modeBusy      = "busy"
	modeAway      = "away"
	modeInvisible = "invisible"
)

// presenceBusy is the unstable state of MSC3026, which some homeservers send.
const presenceBusy event.Presence = "org.matrix.msc3026.busy"

func (c presenceChoice) stored() string {
	if c.matrix == "" {
		return c.mode
	}
	return c.mode + "|" + string(c.matrix)
}

func choiceFrom(setting database.Setting) presenceChoice {
	mode, matrix, _ := strings.Cut(setting.PresenceMode, "|")
	choice := presenceChoice{mode: mode, text: setting.StatusText, matrix: event.Presence(matrix)}
	switch mode {
	case modeAvailable, modeBusy, modeAway, modeInvisible:
	default:
		choice.mode = modeAuto
	}
	return choice
}

// shows is what contacts are to see.
func (c presenceChoice) shows(cfg config.Presence) xmppside.Presence {
	p := xmppside.Presence{Status: c.text}
	switch c.mode {
	case modeAvailable:
		return p
	case modeBusy:
		p.Show = wire.DND
		return p
	case modeAway:
		p.Show = wire.Away
		return p
	case modeInvisible:
		p.Invisible, p.Status = true, ""
		return p
	}
	if !cfg.FromMatrix {
		return p
	}
	if p.Status == "" {
		p.Status = c.said
	}
	switch c.matrix {
	case event.PresenceUnavailable: // idle is away, not offline
		p.Show = wire.Away
	case presenceBusy, "busy":
		p.Show = wire.DND
	case event.PresenceOffline:
		switch cfg.WhenOffline {
		case config.OfflineAway:
			p.Show = wire.Away
		case config.OfflineInvisible:
			p.Invisible, p.Status = true, ""
		}
	}
	return p
}

// desired is what the account shows when it signs in. It also brings back what was known of the contacts before a restart.
func (p *presence) desired(ctx context.Context) xmppside.Presence {
	p.restore(ctx)
	p.own.mu.Lock()
	defer p.own.mu.Unlock()
	return p.chosen(ctx).shows(p.cl.c.Config.Presence)
}

// chosen is the present choice. The caller holds the lock of own.
func (p *presence) chosen(ctx context.Context) presenceChoice {
	if !p.own.read {
		setting, err := p.cl.c.db.Setting.Get(ctx, p.cl.id())
		if err != nil {
			p.cl.log.Err(err).Msg("The chosen presence cannot be read")
			return presenceChoice{mode: modeAuto}
		}
		p.own.choice, p.own.read = choiceFrom(setting), true
	}
	return p.own.choice
}

// choose changes the choice, stores it and shows it. What contacts see already is not sent again.
func (p *presence) choose(ctx context.Context, change func(*presenceChoice)) (xmppside.Presence, error) {
	p.own.mu.Lock()
	defer p.own.mu.Unlock()
	before := p.chosen(ctx)
	after := before
	change(&after)
	if after.stored() != before.stored() || after.text != before.text {
		_, err := p.cl.c.db.Setting.Update(ctx, p.cl.id(), func(setting *database.Setting) {
			setting.PresenceMode, setting.StatusText = after.stored(), after.text
		})
		if err != nil {
			return xmppside.Presence{}, err
		}
	}
	p.own.choice, p.own.read = after, true
	shows := after.shows(p.cl.c.Config.Presence)
	if account := p.cl.account(); account != nil {
		account.SetPresence(shows)
	}
	return shows, nil
}

// matrixPresence is told what the homeserver says of a Matrix user.
func (c *Connector) matrixPresence(ctx context.Context, user id.UserID, state event.Presence, text string) {
	if !c.Config.Presence.FromMatrix || c.br.IsGhostMXID(user) {
		return
	}
	for _, client := range c.clientsOf(user) {
		_, err := client.presence.choose(ctx, func(choice *presenceChoice) {
			choice.matrix, choice.said = state, strings.TrimSpace(text)
		})
		if err != nil {
			client.log.Err(err).Msg("The user's presence could not be stored")
		}
	}
}

// clientsOf are the accounts of a Matrix user. Nobody is loaded for it: presence comes of everybody on the homeserver.
func (c *Connector) clientsOf(user id.UserID) []*Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*Client
	for _, client := range c.clients {
		if client.login.UserMXID == user {
			all = append(all, client)
		}
	}
	return all
}
