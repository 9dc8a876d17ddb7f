package vcard

import (
	"context"
	"strings"

	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/xmltext"
)

const (
	// NS is the namespace of <vCard/>.
	NS = "vcard-temp"
	// MaxText is how many bytes of each text field are kept.
	MaxText = 1024
	// maxURL is the longest address of a photo that is kept.
	maxURL = 2048
)

// Card is what is used of a vCard. All texts are on one line and may be empty.
type Card struct {
	FullName string // FN
	Nickname string // NICKNAME
	Given    string // N/GIVEN
	Family   string // N/FAMILY
	Email    string // EMAIL/USERID, the preferred or the first one
	// Photo is nil without a photo that can be shown.
	Photo *Photo
}

// IsEmpty says that nothing at all is known.
func (c Card) IsEmpty() bool { return c == Card{} }

// Name is the display name that the card gives: the full name, else the nickname, else given and family name, else
// nothing.
func (c Card) Name() string {
	for _, name := range []string{c.FullName, c.Nickname, strings.TrimSpace(c.Given + " " + c.Family)} {
		if name != "" {
			return name
		}
	}
	return ""
}

type element struct {
	FN       string `xml:"vcard-temp FN"`
	Nickname string `xml:"vcard-temp NICKNAME"`
	N        struct {
		Given  string `xml:"vcard-temp GIVEN"`
		Family string `xml:"vcard-temp FAMILY"`
	} `xml:"vcard-temp N"`
	Emails []struct {
		UserID string    `xml:"vcard-temp USERID"`
		Pref   *struct{} `xml:"vcard-temp PREF"`
	} `xml:"vcard-temp EMAIL"`
	Photos []struct {
		Binval string `xml:"vcard-temp BINVAL"`
		Extval string `xml:"vcard-temp EXTVAL"`
	} `xml:"vcard-temp PHOTO"`
}

func (e element) card() Card {
	card := Card{
		FullName: xmltext.Line(e.FN, MaxText),
		Nickname: xmltext.Line(e.Nickname, MaxText),
		Given:    xmltext.Line(e.N.Given, MaxText),
		Family:   xmltext.Line(e.N.Family, MaxText),
	}
	for _, email := range e.Emails {
		address := xmltext.Line(email.UserID, MaxText)
		if address != "" && (card.Email == "" || email.Pref != nil) {
			card.Email = address
			if email.Pref != nil {
				break
			}
		}
	}
	for _, p := range e.Photos {
		if card.Photo = readPhoto(p.Binval, p.Extval); card.Photo != nil {
			break
		}
	}
	return card
}

// Fetch asks for the vCard of a bare JID, or for the own one when to is empty. ok is false when there is none, in any of
// the three forms that this takes: service-unavailable, item-not-found, an empty card (messenger-protocol.md 9). An
// error is one of asking: it says nothing about whether there is a card.
func Fetch(ctx context.Context, r iq.Requester, to string) (card Card, ok bool, err error) {
	var e element
	err = r.Request(ctx, iq.Request{Type: iq.Get, To: to, Payload: []byte(`<vCard xmlns="` + NS + `"/>`)}, &e)
	if iq.IsError(err, stanza.ServiceUnavailable, stanza.ItemNotFound) {
		return Card{}, false, nil
	}
	if err != nil {
		return Card{}, false, err
	}
	card = e.card()
	return card, !card.IsEmpty(), nil
}
