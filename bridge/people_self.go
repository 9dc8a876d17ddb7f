package bridge

import (
	"context"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/vcard"
)

// ownCardTimeout bounds the wait for the own vCard when the own name is needed.
const ownCardTimeout = 10 * time.Second

// ownName is what the user is called in requests to others (XEP-0172): the own vCard's name, else the Matrix display name, else the localpart.
func (p *people) ownName(ctx context.Context, session *xmppside.Session) string {
	p.self.Lock()
	defer p.self.Unlock()
	if p.nickname != "" {
		return p.nickname
	}
	fetch, cancel := context.WithTimeout(ctx, ownCardTimeout)
	defer cancel()
	if card, ok, err := vcard.Fetch(fetch, session, ""); err == nil && ok {
		p.nickname = card.Name()
	}
	if p.nickname == "" {
		if profile, err := p.cl.c.matrix.AS.BotClient().GetProfile(ctx, p.cl.login.UserMXID); err == nil {
			p.nickname = strings.TrimSpace(profile.DisplayName)
		}
	}
	if p.nickname != "" {
		return p.nickname
	}
	if own, err := jid.Parse(p.cl.id()); err == nil {
		return own.Localpart()
	}
	return p.cl.id()
}

// learnOwnName finds out, once and in the background, what the user is called, so that the ghost that stands for them in their rooms has a name when it
// is made.
func (p *people) learnOwnName(ev xmppside.StateEvent) {
	if ev.State != xmppside.Online {
		return
	}
	p.cl.c.spawn(func(ctx context.Context) {
		own, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), p.cl.id())
		session := p.cl.session()
		if err != nil || own.VCardName != "" || session == nil {
			return
		}
		name := p.ownName(ctx, session)
		if _, _, err = p.cl.c.db.Contact.Update(ctx, p.cl.id(), p.cl.id(), func(c *database.Contact) { c.VCardName = name }); err != nil {
			p.cl.log.Warn().Err(err).Msg("The account's own name could not be stored")
		}
	})
}
