package messengerd

import "strings"

// ownVCard answers requests about the user's own vCard (protocol, section 9).
func (ses *session) ownVCard(iq *element, kind string) {
	if kind == "set" {
		if condition := ses.srv.sw().VCard.Update; condition != "silence" {
			ses.refuse(iq, condition)
		}
		return
	}
	ses.giveVCard(iq, ses.account.vCard())
}

// contactVCard answers for a contact. There is none before both are contacts of
// each other ("vCards are not available until both are contacts").
func (ses *session) contactVCard(iq *element, to string) {
	other, a := ses.srv.byBareJID(to), ses.account
	if other == nil {
		ses.giveVCard(iq, nil)
		return
	}
	a.mu.Lock()
	i := a.roster[strings.ToLower(to)]
	contact := i != nil && i.state.sees()
	a.mu.Unlock()
	if !contact {
		ses.giveVCard(iq, nil)
		return
	}
	ses.giveVCard(iq, other.vCard())
}

func (ses *session) giveVCard(iq, card *element) {
	switch absent := ses.srv.sw().VCard.Absent; {
	case card != nil:
		ses.reply(iq, card)
	case absent == "empty":
		ses.reply(iq, el(nsVCard, "vCard"))
	default:
		ses.refuse(iq, absent)
	}
}

func (a *Account) vCard() *element {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.vcard
}

// SetVCard changes the account's vCard; nil removes it.
func (a *Account) SetVCard(v *VCardConfig) error {
	cfg := a.cfg
	cfg.VCard, cfg.NoVCard = v, v == nil
	card, err := buildVCard(&cfg)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.vcard = card
	a.mu.Unlock()
	return nil
}
