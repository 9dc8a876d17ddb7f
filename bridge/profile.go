package bridge

import (
	"errors"

	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

// service is what texts call the service. It is fixed with the program, as the framework asks for it before there is a
// configuration.
const service = messenger.Name

// homeDomain is the domain of the service itself; others speak its protocol too.
const homeDomain = messenger.Domain

// Profile says what service the accounts of a configuration sign in to. An error names its key.
func Profile(cfg *config.Config) (xmppside.Profile, error) {
	roots, err := cfg.TLS.Roots()
	if err != nil {
		return xmppside.Profile{}, err
	}
	options := messenger.Options{
		Domain: cfg.Domain, Address: cfg.Address, Roots: roots, Redirects: &cfg.Redirects, Keepalive: cfg.Keepalive.Of(),
	}
	if names := cfg.TLS.Names; names != nil {
		options.CertNames = append([]string{}, *names...) // not nil: an empty list accepts no other name
	}
	profile, err := messenger.NewProfile(options)
	return profile, keyError(err)
}

// NewService makes the service of a configuration, with the configuration's keys in its texts and errors. opts are the
// parts that the configuration says nothing of.
func NewService(cfg *config.Config, opts xmppside.ServiceOptions) (*xmppside.Service, error) {
	profile, err := Profile(cfg)
	if err != nil {
		return nil, err
	}
	opts.ConnectsPerSecond = float64(cfg.ConnectsPerSecond)
	opts.Keys = settingKeys
	made, err := xmppside.NewService(profile, opts)
	return made, keyError(err)
}

// settingKeys are the keys of the configuration by the settings of a service.
var settingKeys = map[xmppside.Setting]string{
	xmppside.SettingDomain:      "network.domain",
	xmppside.SettingAddress:     "network.address",
	xmppside.SettingTrust:       "network.tls",
	xmppside.SettingAuthorities: "network.tls.ca_file",
	xmppside.SettingCertNames:   "network.tls.names",
	xmppside.SettingRedirects:   "network.redirects",
	xmppside.SettingSignIn:      "network.oauth",
}

// keyError makes the error of a setting one that names the key.
func keyError(err error) error {
	var wrong *xmppside.SettingError
	if errors.As(err, &wrong) {
		return &config.KeyError{Path: settingKeys[wrong.Setting], Problem: wrong.Problem}
	}
	return err
}
