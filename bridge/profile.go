package bridge

import (
	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

// Profile says what service the accounts of a configuration sign in to.
func Profile(cfg *config.Config) (xmppside.Profile, error) {
	cas, err := cfg.TLS.PEM()
	if err != nil {
		return xmppside.Profile{}, err
	}
	options := messenger.Options{
		Domain: cfg.Domain, Address: cfg.Address, CAs: cas, Redirects: &cfg.Redirects, Keepalive: cfg.Keepalive.Of(),
	}
	if names := cfg.TLS.Names; names != nil {
		options.CertNames = append([]string{}, *names...) // not nil: an empty list accepts no other name
	}
	return messenger.NewProfile(options)
}
