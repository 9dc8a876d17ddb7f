package scenario

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/appservice"

	"matrix-messenger/internal/freeport"
)

const (
	commandPrefix = "!messenger"
	// ProvisioningSecret opens the bridge's provisioning API.
	ProvisioningSecret = "scenario-provisioning-secret"
)

// section is a part of the bridge's configuration file.
type section = map[string]any

// config is what an admin writes into the bridge's configuration file for this scenario.
func (s *Scenario) config(reg *appservice.Registration, port int, puppetToken string) section {
	network := section{
		"domain":     serviceDomain,
		"address":    s.serviceAddr,
		"tls":        section{"ca_file": s.file("service-ca.pem")},
		"secret_key": strings.Repeat("scenario", 4),
		"oauth":      section{"client_id": "0000000000000001"},
	}
	for key, value := range s.opts.Network {
		if old, isSection := network[key].(section); isSection {
			if with, ok := value.(section); ok {
				for inner, v := range with {
					old[inner] = v
				}
				continue
			}
		}
		network[key] = value
	}
	bridge := section{"command_prefix": commandPrefix, "permissions": section{s.HS.Domain(): "admin"}}
	if s.opts.Beside != nil {
		bridge["permissions"] = section{s.Alice.ID.String(): "user"}
	}
	for key, value := range s.opts.Bridge {
		bridge[key] = value
	}
	all := section{
		"network":    network,
		"bridge":     bridge,
		"database":   section{"type": "sqlite3-fk-wal", "uri": "file:" + s.file("bridge.db") + "?_txlock=immediate"},
		"homeserver": section{"address": s.HS.URL(), "domain": s.HS.Domain()},
		"appservice": section{
			"address": reg.URL, "hostname": s.host, "port": port, "id": reg.ID, "bot": section{"username": s.name() + "bot"},
			"as_token": reg.AppToken, "hs_token": reg.ServerToken, "username_template": s.name() + "_{{.}}", "ephemeral_events": true,
		},
		"provisioning": section{"shared_secret": ProvisioningSecret},
		"logging":      section{"min_level": "debug", "writers": []section{{"type": "stdout", "format": "json"}}},
	}
	for name, values := range s.opts.Sections {
		if _, there := all[name].(section); !there {
			all[name] = section{}
		}
		maps.Copy(all[name].(section), values)
	}
	if s.opts.Database != "" {
		all["database"] = section{"type": "postgres", "uri": s.opts.Database}
	}
	if puppetToken != "" {
		all["double_puppet"] = section{"secrets": map[string]string{s.HS.Domain(): "as_token:" + puppetToken}}
	}
	return all
}

// writeConfig makes the registration and the configuration file.
func (s *Scenario) writeConfig() error {
	port, err := freeport.Find(s.host)
	if err != nil {
		return err
	}
	s.bridgeURL = "http://" + net.JoinHostPort(s.host, strconv.Itoa(port))
	reg, as, err := s.HS.RegistrationOf(s.name(), s.bridgeURL)
	if err != nil {
		return err
	}
	s.Appservice = as
	puppetToken := ""
	if !s.opts.NoDoublePuppet {
		if puppetToken, err = s.HS.DoublePuppeting(); err != nil {
			return err
		}
	}
	if err = os.WriteFile(s.file("service-ca.pem"), s.Service.CAPEM(), 0o600); err != nil {
		return err
	}
	text, err := yaml.Marshal(s.config(reg, port, puppetToken))
	if err != nil {
		return err
	}
	return os.WriteFile(s.file("config.yaml"), text, 0o600)
}

// File is the path of a file in the scenario's directory.
func (s *Scenario) File(name string) string { return s.file(name) }

func (s *Scenario) file(name string) string { return filepath.Join(s.dir, name) }

// name is what the bridge and everything of it on the homeserver is called.
func (s *Scenario) name() string {
	if s.opts.Name == "" {
		return "messenger"
	}
	return s.opts.Name
}

// freePort is a port that was free a moment ago.
