package messengerd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
	"mellium.im/xmpp/jid"
)

// Config is the whole configuration, as the YAML file has it.
type Config struct {
	Listen      string            `yaml:"listen" doc:"host:port for XMPP; port 0 takes a free one"`
	Domain      string            `yaml:"domain" doc:"the XMPP domain: the stream's to, and what JIDs end in"`
	Certificate CertificateConfig `yaml:"certificate" doc:"the server certificate and who signs it"`
	Accounts    []AccountConfig   `yaml:"accounts" doc:"who has an account"`
	Tokens      []TokenConfig     `yaml:"tokens" doc:"access tokens that are good from the start, for signing in without OAuth"`
	OAuth       OAuthConfig       `yaml:"oauth" doc:"the sign-in pages (OAuth 2.0)"`
	Control     ControlConfig     `yaml:"control" doc:"the HTTP interface to act as a contact and to provoke faults"`
	State       string            `yaml:"state" doc:"file to keep rosters, invitations, stored and archived messages in; empty: memory only"`
	Switches    Switches          `yaml:"switches" doc:"how the service behaves where nobody knows how the real one did"`
}

// CertificateConfig says where certificate and authority come from.
type CertificateConfig struct {
	CAFile    string `yaml:"ca_file" doc:"the authority's certificate is written here (PEM), for clients to trust; if it exists together with ca_key_file it is used again"`
	CAKeyFile string `yaml:"ca_key_file" doc:"the authority's private key; default: ca_file with .key behind it"`
	CertFile  string `yaml:"cert_file" doc:"use this certificate (PEM chain) instead of one made at the start"`
	KeyFile   string `yaml:"key_file" doc:"private key of cert_file"`
}

// TokenConfig is an access token given by the configuration.
type TokenConfig struct {
	Account string        `yaml:"account" doc:"e-mail address or JID of the account"`
	Token   string        `yaml:"token" doc:"the token"`
	Life    time.Duration `yaml:"life" doc:"how long it is good from the start on; default ten years"`
}

// OAuthConfig configures the sign-in pages.
type OAuthConfig struct {
	Listen       string   `yaml:"listen" doc:"host:port of the pages (plain HTTP, loopback only); empty: off"`
	ClientID     string   `yaml:"client_id" doc:"the application's ID"`
	ClientSecret string   `yaml:"client_secret" doc:"its secret; empty for desktop applications"`
	RedirectURLs []string `yaml:"redirect_urls" doc:"addresses the browser may be sent to, beside the desktop page"`
}

// ControlConfig configures the control interface.
type ControlConfig struct {
	Listen string `yaml:"listen" doc:"host:port, loopback only; empty: off"`
}

// AccountConfig is one account.
type AccountConfig struct {
	Email       string          `yaml:"email" doc:"the Microsoft account: what contacts look up and what the sign-in page asks for"`
	Password    string          `yaml:"password" doc:"password on the sign-in page; empty: nobody can sign in there"`
	JID         string          `yaml:"jid" doc:"bare JID; default: made from the e-mail address, always the same"`
	Name        string          `yaml:"name" doc:"display name"`
	KeepHistory *bool           `yaml:"keep_history" doc:"keep a history of conversations (one of the two sides is enough); default true"`
	Contact     bool            `yaml:"contact" doc:"the account has a Messenger program of its own inside the service, online from the start"`
	Presence    string          `yaml:"presence" values:"|available|busy|away|invisible|offline" doc:"what that program shows at the start; default available for a contact"`
	Status      string          `yaml:"status" doc:"its personal message"`
	Invitations string          `yaml:"invitations" values:"ask|accept|decline" doc:"what it does with invitations; ask: waits for the control interface"`
	VCard       *VCardConfig    `yaml:"vcard" doc:"the vCard; default: one with the display name"`
	NoVCard     bool            `yaml:"no_vcard" doc:"there is no vCard"`
	Contacts    []ContactConfig `yaml:"contacts" doc:"the roster at the start; an entry may be just the address. The other side gets the matching entry"`
	History     []HistoryConfig `yaml:"history" doc:"messages that are in the archive from the start, oldest first"`
	Behaviour   string          `yaml:"behaviour" values:"none|echo|script|away_and_back" doc:"what the program does by itself; echo: answers with the same text; script: follows script; away_and_back: goes away, offline and comes back"`
	Period      time.Duration   `yaml:"period" doc:"pause between the steps of away_and_back, default 20s"`
	Script      []ScriptStep    `yaml:"script" doc:"steps of the behaviour script, begun when the partner is online"`
	ScriptTo    string          `yaml:"script_to" doc:"the partner of the script; default: the first contact"`
	Repeat      bool            `yaml:"repeat" doc:"begin the script again at its end"`
}

// VCardConfig is a vCard (protocol, section 9).
type VCardConfig struct {
	FullName  string `yaml:"full_name" doc:"FN; default: the display name"`
	Given     string `yaml:"given" doc:"given name"`
	Family    string `yaml:"family" doc:"family name"`
	Nickname  string `yaml:"nickname" doc:"NICKNAME"`
	PhotoFile string `yaml:"photo_file" doc:"picture file, sent as BINVAL"`
	PhotoType string `yaml:"photo_type" doc:"its media type, default image/jpeg"`
	PhotoURL  string `yaml:"photo_url" doc:"picture address, sent as EXTVAL"`
	PhotoData []byte `yaml:"-"`
}

// ContactConfig is one roster entry.
type ContactConfig struct {
	Account      string   `yaml:"account" doc:"e-mail address or JID; an account of this service, or only a JID"`
	Name         string   `yaml:"name" doc:"name in the roster; default: the account's display name"`
	Subscription string   `yaml:"subscription" values:"both|to|from|none|invited|invites" doc:"invited: an invitation of ours waits there; invites: theirs waits here"`
	Groups       []string `yaml:"groups" doc:"groups"`
}

// HistoryConfig is one archived message.
type HistoryConfig struct {
	With string        `yaml:"with" doc:"the other account"`
	From string        `yaml:"from" values:"them|me" doc:"who wrote it"`
	Body string        `yaml:"body" doc:"text"`
	Ago  time.Duration `yaml:"ago" doc:"how long before the start"`
}

// ScriptStep is one step of a script; several fields of one step happen in the order given here.
type ScriptStep struct {
	Wait     time.Duration `yaml:"wait" doc:"pause"`
	Await    bool          `yaml:"await" doc:"wait for a message of the partner"`
	Presence string        `yaml:"presence" values:"|available|busy|away|invisible|offline" doc:"change presence"`
	Status   string        `yaml:"status" doc:"with this personal message"`
	Typing   time.Duration `yaml:"typing" doc:"show typing for this long"`
	Say      string        `yaml:"say" doc:"send this text"`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() *Config {
	return &Config{Listen: "127.0.0.1:5222", Domain: "messenger.live.com", Switches: DefaultSwitches()}
}

// LoadConfig reads a configuration file. An unknown key or a bad value is an
// error that names the key's path.
func LoadConfig(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	cfg, err := ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// ParseConfig is [LoadConfig] for text.
func ParseConfig(text []byte) (*Config, error) {
	cfg := DefaultConfig()
	if err := decodeStrict(text, cfg, ""); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// decodeStrict reads one YAML document over the values in out.
func decodeStrict(text []byte, out any, path string) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("not valid YAML: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document in the file")
	}
	return fill(&doc, out, path)
}

// Validate checks what can be checked without the other accounts.
func (c *Config) Validate() error {
	if _, err := jid.Parse(c.Domain); err != nil || strings.ContainsAny(c.Domain, "@/") || c.Domain == "" {
		return fmt.Errorf("domain: %q is not a domain name", c.Domain)
	}
	if err := checkAddress("listen", c.Listen, false); err != nil {
		return err
	}
	if err := checkAddress("oauth.listen", c.OAuth.Listen, true); err != nil {
		return err
	}
	if c.OAuth.Listen != "" && c.OAuth.ClientID == "" {
		return errors.New("oauth.client_id: is needed when oauth.listen is set")
	}
	if err := checkAddress("control.listen", c.Control.Listen, true); err != nil {
		return err
	}
	if (c.Certificate.CertFile == "") != (c.Certificate.KeyFile == "") {
		return errors.New("certificate: cert_file and key_file belong together")
	}
	for i := range c.Accounts {
		if err := c.Accounts[i].validate(fmt.Sprintf("accounts[%d]", i), c.Domain); err != nil {
			return err
		}
	}
	for i, t := range c.Tokens {
		if t.Token == "" || t.Account == "" {
			return fmt.Errorf("tokens[%d]: needs account and token", i)
		}
	}
	return c.Switches.Validate()
}

func (a *AccountConfig) validate(path, domain string) error {
	if a.Email == "" && a.JID == "" {
		return fmt.Errorf("%s: needs email or jid", path)
	}
	if a.Email != "" && !strings.Contains(a.Email, "@") {
		return fmt.Errorf("%s.email: %q is not an e-mail address", path, a.Email)
	}
	if a.JID != "" {
		if j, err := jid.Parse(a.JID); err != nil || j.Localpart() == "" || j.Resourcepart() != "" || !strings.EqualFold(j.Domainpart(), domain) {
			return fmt.Errorf("%s.jid: %q is not a bare JID in %s", path, a.JID, domain)
		}
	}
	for i, c := range a.Contacts {
		if c.Account == "" {
			return fmt.Errorf("%s.contacts[%d].account: is missing", path, i)
		}
	}
	if a.Behaviour != "" && a.Behaviour != "none" && !a.Contact {
		return fmt.Errorf("%s.behaviour: needs contact: true", path)
	}
	if a.Behaviour == "script" && len(a.Script) == 0 {
		return fmt.Errorf("%s.script: is empty", path)
	}
	return nil
}

// checkAddress verifies a listen address; loopback addresses are demanded where
// the service has no protection of its own.
func checkAddress(key, address string, loopback bool) error {
	if address == "" {
		if loopback {
			return nil
		}
		return fmt.Errorf("%s: is empty, use host:port", key)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: %q is not host:port", key, address)
	}
	if ip := net.ParseIP(host); loopback && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s: %q is not a loopback address", key, address)
	}
	return nil
}
