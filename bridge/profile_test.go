package bridge

import (
	"errors"
	"strings"
	"testing"

	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/session"
)

func TestEverySettingOfTheServiceHasItsKey(t *testing.T) {
	for _, setting := range xmppside.Settings() {
		if settingKeys[setting] == "" {
			t.Errorf("the setting %q has no key", setting)
		}
	}
}

func TestWhatIsWrongWithTheServicesSettingsNamesTheKey(t *testing.T) {
	for _, c := range []struct {
		cfg       config.Config
		key, text string
	}{
		{
			config.Config{Domain: "chat.example", TLS: config.TLS{Names: &[]string{"*"}}},
			"network.tls.names",
			`network.tls.names: "*" is not a host name, and not *. before one`,
		},
		{config.Config{Domain: "not a domain"}, "network.domain", `network.domain: "not a domain" is not a domain name`},
		{config.Config{Domain: "chat.example", Address: "x:y"}, "network.address", `network.address: "x:y" is not a host, host:port, address or [address]:port`},
		{config.Config{Domain: "chat.example", Redirects: -1}, "network.redirects", "network.redirects: it is negative"},
		{config.Config{Domain: "chat.example", TLS: config.TLS{CAFile: "/none"}}, "network.tls.ca_file", ""},
	} {
		_, err := NewService(&c.cfg, xmppside.ServiceOptions{})
		var wrong *config.KeyError
		if !errors.As(err, &wrong) || wrong.Path != c.key || c.text != "" && err.Error() != c.text {
			t.Errorf("%v is not about %s, or not %q", err, c.key, c.text)
		}
	}
}

func TestOnAServiceWithoutADirectoryPeopleAreJIDs(t *testing.T) {
	service, err := xmppside.NewService(xmppside.Profile{
		Domain: "chat.example", Authenticate: func(string) session.Authenticator { return nil },
	}, xmppside.ServiceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	people := &people{cl: &Client{c: &Connector{service: service, Config: config.Config{Domain: "chat.example"}}}}
	found, email, err := people.find(t.Context(), "mary@elsewhere.example")
	if err != nil || email != "" || found.String() != "mary@elsewhere.example" {
		t.Errorf("found %s, %q: %v", found, email, err)
	}
	_, _, err = people.find(t.Context(), "mary")
	if err == nil || !strings.Contains(err.Error(), "somebody@chat.example") || strings.Contains(err.Error(), "e-mail") {
		t.Errorf("told %v", err)
	}
}
