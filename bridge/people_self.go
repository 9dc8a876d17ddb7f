package bridge

import (
	"context"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

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
