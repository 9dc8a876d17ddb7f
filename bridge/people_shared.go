package bridge

import (
	"sync"

	"matrix-messenger/xmppside/vcard"
)

// crowd is what all accounts share in dealing with their contacts. The zero value is ready for use.
type crowd struct {
	once     sync.Once
	cards    chan struct{}  // one place for each vCard being fetched
	pictures *vcard.Fetcher // of pictures that are given by their address

	presence presencePacer
}

// cardsAtOnce bounds the vCards being fetched, over all accounts.
const cardsAtOnce = 8

func (s *crowd) prepare() {
	s.once.Do(func() {
		s.cards = make(chan struct{}, cardsAtOnce)
		s.pictures = vcard.NewFetcher(vcard.FetcherOptions{})
	})
}
