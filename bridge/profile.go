package bridge

import (
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

// profile says what service the accounts sign in to.
func (c *Connector) profile() (xmppside.Profile, error) {
	cas, err := c.Config.TLS.PEM()
	if err != nil {
		return xmppside.Profile{}, err
	}
	options := messenger.Options{
		Domain: c.Config.Domain, Address: c.Config.Address, CAs: cas, Redirects: &c.Config.Redirects, Keepalive: c.Config.Keepalive.Of(),
	}
	if names := c.Config.TLS.Names; names != nil {
		options.CertNames = append([]string{}, *names...) // not nil: an empty list accepts no other name
	}
	return messenger.NewProfile(options)
}
