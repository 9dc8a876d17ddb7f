package doctor

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.mau.fi/util/configupgrade"
	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"

	"matrix-messenger/bridge"
	"matrix-messenger/bridge/config"
)

// setup is a configuration that can be used.
type setup struct {
	framework *bridgeconfig.Config
	network   *config.Config
}

// config reads the configuration the way the bridge does, but without writing it.
func (d *doctor) config() (*setup, bool) {
	const check = "config"
	path := d.opts.Config
	raw, err := os.ReadFile(path)
	if err != nil {
		d.fail(check, fmt.Sprintf("The configuration file cannot be read: %v.", err), "Write one with -e, or name it with -c.")
		return nil, false
	}
	var doc yaml.Node
	if err = yaml.Unmarshal(raw, &doc); err != nil || len(doc.Content) == 0 {
		d.fail(check, fmt.Sprintf("%s is not valid YAML: %v.", path, err), "Correct the line that is named; mind the indentation.")
		return nil, false
	}
	if err = readable(path); err != nil {
		d.fail(check, config.Sentence(err), "Correct the key in "+path+".")
		return nil, false
	}
	// The framework ends the program over a file that it cannot read; what could make it do so was looked at above.
	m := bridge.NewMain()
	m.ConfigPath, m.SaveConfig = path, false
	if err = load(m, &doc); err != nil {
		d.fail(check, config.Sentence(err), "Correct the variable, or take it out of the environment that the bridge is started with.")
		return nil, false
	}
	// What counts is what the bridge would run with: the file, and over it the environment.
	network := &m.Connector.Config
	if err = network.Validate(); err != nil {
		d.fail(check, config.Sentence(err), "Correct the key in "+path+where(m.Config)+".")
		return nil, false
	}
	if problem := frameworkProblem(m.Config); problem != "" {
		d.fail(check, problem, "Set it in "+path+where(m.Config)+".")
		return nil, false
	}
	if m.Connector.SecretGenerated() {
		d.warn(check, "The configuration is valid, but secret_key has not been made yet.", "Start the bridge once without --no-update, or set network.secret_key.")
	} else {
		d.ok(check, "The configuration is valid.")
	}
	return &setup{framework: m.Config, network: network}, true
}

// readable looks whether our own section of the file can be read: whether its keys exist, and hold values of the right kind.
func readable(path string) error {
	var wrong []error
	upgrader := configupgrade.MergeUpgraders("network:\n"+indented(config.Example), &configupgrade.ProxyUpgrader{
		Prefix: []string{"network"},
		Target: config.Upgrader{Wrong: func(problems []*config.KeyError) {
			for _, p := range problems {
				wrong = append(wrong, p)
			}
		}},
	})
	out, _, err := configupgrade.Do(path, false, upgrader)
	if err == nil {
		err = errors.Join(wrong...)
	}
	if err != nil {
		return err
	}
	var doc struct {
		Network config.Config `yaml:"network"`
	}
	return yaml.Unmarshal(out, &doc)
}

// where says that a value may stand in the environment, if it may.
func where(cfg *bridgeconfig.Config) string {
	if cfg.EnvConfigPrefix == "" {
		return ""
	}
	return ", or in the environment (" + cfg.EnvConfigPrefix + "…)"
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}

// frameworkProblem finds the settings without which the framework refuses to start.
func frameworkProblem(cfg *bridgeconfig.Config) string {
	const unset = "This value is generated when generating the registration"
	switch {
	case cfg.Homeserver.Address == "" || cfg.Homeserver.Address == "http://example.localhost:8008":
		return "homeserver.address is not set."
	case cfg.Homeserver.Domain == "" || cfg.Homeserver.Domain == "example.com":
		return "homeserver.domain is not set."
	case cfg.AppService.ASToken == "" || cfg.AppService.ASToken == unset:
		return "appservice.as_token is not set: the registration has not been written yet (with -g)."
	case cfg.AppService.HSToken == "" || cfg.AppService.HSToken == unset:
		return "appservice.hs_token is not set: the registration has not been written yet (with -g)."
	case cfg.Database.URI == "" || cfg.Database.URI == "postgres://user:password@host/database?sslmode=disable":
		return "database.uri is not set."
	case !cfg.Bridge.Permissions.IsConfigured():
		return "bridge.permissions names nobody, so nobody could use the bridge."
	case !strings.Contains(cfg.AppService.FormatUsername("1234567890"), "1234567890"):
		return "appservice.username_template has no place for the contact's name ({{.}})."
	case cfg.PublicMedia.Enabled && !hasPublicAddress(cfg):
		return "public_media.enabled is true, but the bridge has no public address (appservice.public_address)."
	}
	return ""
}

// hasPublicAddress tells whether the bridge has an address on the internet. The framework fills in its example's, which
// does not count.
func hasPublicAddress(cfg *bridgeconfig.Config) bool {
	address := cfg.AppService.PublicAddress
	return address != "" && address != "https://bridge.example.com"
}
