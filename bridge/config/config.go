// Package config is the `network:` section of the bridge's configuration file (design.md section 5): its keys with their
// defaults, the check of their values, and the search for keys that do not exist. Every error names the key by its path.
package config

import (
	_ "embed"
	"errors"
	"time"

	"gopkg.in/yaml.v3"
)

// Example is the section as the program writes it with -e: every key, its default and a sentence about it.
//
//go:embed example.yaml
var Example string

// RedirectCallback is the value of oauth.redirect_url that makes the bridge receive the browser itself.
const RedirectCallback = "callback"

// KeyGenerate is the value of secret_key that asks the program to make a key and write it into the file.
const KeyGenerate = "generate"

// Config holds the values of the section. The zero value is not usable: it is filled from YAML that has every key.
type Config struct {
	Domain            string `yaml:"domain"`
	Address           string `yaml:"address"`
	TLS               TLS    `yaml:"tls"`
	Redirects         int    `yaml:"redirects"`
	Keepalive         Span   `yaml:"keepalive"`
	ConnectsPerSecond int    `yaml:"connects_per_second"`
	OAuth             OAuth  `yaml:"oauth"`

	SecretKey          string   `yaml:"secret_key"`
	PreviousSecretKeys []string `yaml:"previous_secret_keys"`

	DisplaynameTemplate string `yaml:"displayname_template"`
	Rooms               Rooms  `yaml:"rooms"`

	Presence   Presence `yaml:"presence"`
	Typing     string   `yaml:"typing"`
	Emoticons  bool     `yaml:"emoticons"`
	Reactions  string   `yaml:"reactions"`
	Redactions string   `yaml:"redactions"`
	Expire     Span     `yaml:"expire"`
	Archive    Archive  `yaml:"archive"`
	Uncertain  string   `yaml:"uncertain"`
	Limits     Limits   `yaml:"limits"`
	Metrics    Metrics  `yaml:"metrics"`

	names *nameTemplate
}

// TLS is the section `tls`. Names is nil when the default rule applies, and empty when no other name is accepted.
type TLS struct {
	CAFile string    `yaml:"ca_file"`
	Names  *[]string `yaml:"names"`
}

// OAuth is the section `oauth` (messenger-protocol.md section 4).
type OAuth struct {
	ClientID     string   `yaml:"client_id"`
	ClientSecret string   `yaml:"client_secret"`
	AuthorizeURL string   `yaml:"authorize_url"`
	TokenURL     string   `yaml:"token_url"`
	RedirectURL  string   `yaml:"redirect_url"`
	Scopes       []string `yaml:"scopes"`
	GetFallback  bool     `yaml:"get_fallback"`
}

// Rooms is the section `rooms`.
type Rooms struct {
	AtLogin string `yaml:"at_login"`
}

// Values of rooms.at_login.
const (
	RoomsNone    = "none"
	RoomsHistory = "history"
	RoomsAll     = "all"
)

// Presence is the section `presence`.
type Presence struct {
	ToMatrix    bool   `yaml:"to_matrix"`
	FromMatrix  bool   `yaml:"from_matrix"`
	WhenOffline string `yaml:"when_offline"`
	Grace       Span   `yaml:"grace"`
	Refresh     bool   `yaml:"refresh"`
}

// Values of presence.when_offline.
const (
	OfflineAway      = "away"
	OfflineAvailable = "available"
	OfflineInvisible = "invisible"
)

// Values of typing.
const (
	TypingAuto = "auto"
	TypingOn   = "on"
	TypingOff  = "off"
)

// Values of reactions and redactions.
const (
	AsNote = "note"
	Refuse = "refuse"
)

// Values of uncertain.
const (
	UncertainResend = "resend"
	UncertainReport = "report"
)

// Archive is the section `archive`.
type Archive struct {
	Enabled bool `yaml:"enabled"`
	Count   int  `yaml:"count"`
}

// Limits is the section `limits`.
type Limits struct {
	MatrixInbox    int  `yaml:"matrix_inbox"`
	Requests       int  `yaml:"requests"`
	RoomsPerMinute int  `yaml:"rooms_per_minute"`
	TellWaiting    Span `yaml:"tell_waiting"`
}

// Metrics is the section `metrics`.
type Metrics struct {
	Listen string `yaml:"listen"`
}

// Span is a length of time written as Go writes it: 50s, 5m, 168h. It is kept as written, because the framework sets a
// value from the environment by its kind, and would ask for a number of nanoseconds otherwise.
type Span string

var errSpan = errors.New("expected a length of time such as 50s, 5m or 168h")

// UnmarshalYAML reads the written form. Its error is what a person is told.
func (s *Span) UnmarshalYAML(value *yaml.Node) error {
	if _, err := time.ParseDuration(value.Value); value.Kind != yaml.ScalarNode || err != nil {
		return errSpan
	}
	*s = Span(value.Value)
	return nil
}

// Of is the length of time; 0 of what is none, which Validate refuses.
func (s Span) Of() time.Duration {
	d, _ := time.ParseDuration(string(s))
	return d
}
