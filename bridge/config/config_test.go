package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/util/configupgrade"
	"gopkg.in/yaml.v3"
)

func load(t *testing.T, section string) (*Config, []string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("network:\n"+indent(section)), 0o600); err != nil {
		t.Fatal(err)
	}
	var unknown []string
	note := func(problems []*KeyError) {
		for _, p := range problems {
			unknown = append(unknown, p.Path)
		}
	}
	base := "network:\n" + indent(Example)
	up := configupgrade.MergeUpgraders(base, &configupgrade.ProxyUpgrader{
		Target: Upgrader{Wrong: note}, Prefix: []string{"network"},
	})
	out, _, err := configupgrade.Do(file, true, up)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Network yaml.Node `yaml:"network"`
	}
	if err = yaml.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	var cfg Config
	if err = doc.Network.Decode(&cfg); err != nil {
		return nil, unknown, err
	}
	return &cfg, unknown, cfg.Validate()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}

func TestTheExampleIsAValidConfiguration(t *testing.T) {
	cfg, unknown, err := load(t, Example)
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	if cfg.Domain != "messenger.live.com" || cfg.TLS.Names != nil || cfg.Redirects != 5 || cfg.Archive.Count != 10 || !cfg.Presence.ToMatrix {
		t.Errorf("defaults did not arrive: %+v", cfg)
	}
	if len(cfg.SecretKey) != 64 {
		t.Errorf("no secret key was made")
	}
}

func TestEveryKeyHasASentence(t *testing.T) {
	lines := strings.Split(Example, "\n")
	for i, line := range lines {
		if trimmed := strings.TrimSpace(line); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if i == 0 || !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#") || !strings.HasSuffix(strings.TrimSpace(lines[i-1]), ".") {
			t.Errorf("no sentence above %q", line)
		}
	}
}

func TestEveryValueSurvivesTheRewriteOfTheFile(t *testing.T) {
	section := `
domain: example.org
address: "[::1]:5999"
tls: {names: ["*.gw.example.org", b.example.org]}
redirects: 2
keepalive: 20s
connects_per_second: 7
oauth: {client_id: abc, client_secret: s, authorize_url: https://a.example/x, token_url: http://127.0.0.1:1/t, redirect_url: callback, scopes: [one], get_fallback: true}
secret_key: 0123456789abcdef
previous_secret_keys: [older-older-older-older]
displayname_template: '{{.Name}} ({{.JID}})'
rooms: {at_login: all}
presence: {to_matrix: false, from_matrix: false, when_offline: invisible, grace: 1m, refresh: true}
typing: "on"
emoticons: true
reactions: refuse
redactions: refuse
expire: 1h
archive: {enabled: false, count: 3}
uncertain: report
limits: {matrix_inbox: 500, requests: 3, rooms_per_minute: 4, tell_waiting: 9s}
metrics: {listen: "127.0.0.1:9"}
`
	cfg, unknown, err := load(t, section)
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	var want Config
	if err = yaml.Unmarshal([]byte(section), &want); err != nil {
		t.Fatal(err)
	}
	if err = want.Validate(); err != nil {
		t.Fatal(err)
	}
	want.names, cfg.names = nil, nil
	a, _ := yaml.Marshal(cfg)
	b, _ := yaml.Marshal(&want)
	if string(a) != string(b) {
		t.Errorf("after the rewrite:\n%s\nwant:\n%s", a, b)
	}
	if def, _, _ := load(t, Example); def != nil {
		flat := func(c *Config) map[string]string {
			found := map[string]string{}
			raw, _ := yaml.Marshal(c)
			var doc yaml.Node
			_ = yaml.Unmarshal(raw, &doc)
			walk(doc.Content[0], nil, func(path []string, n *yaml.Node) {
				v, _ := yaml.Marshal(n)
				found[strings.Join(path, ".")] = string(v)
			})
			return found
		}
		changed := flat(cfg)
		for key, value := range flat(def) {
			if changed[key] == value && key != "tls.ca_file" {
				t.Errorf("%s was not changed by this test, so it shows nothing about it", key)
			}
		}
	}
}

func TestAnEmptyListOfNamesIsNotTheDefault(t *testing.T) {
	cfg, _, err := load(t, "tls: {names: []}")
	if err != nil || cfg.TLS.Names == nil || len(*cfg.TLS.Names) != 0 {
		t.Errorf("names: %v, %v", cfg, err)
	}
}

func TestAWrongConfigurationNamesTheKey(t *testing.T) {
	for _, c := range []struct{ section, path string }{
		{"domain: ''", "network.domain"},
		{"domain: 'a b'", "network.domain"},
		{"address: nowhere", "network.address"},
		{"redirects: five", "network.redirects"},
		{"redirects: -1", "network.redirects"},
		{"keepalive: 50", "network.keepalive"},
		{"keepalive: 1ms", "network.keepalive"},
		{"tls: {ca_file: /does/not/exist}", "network.tls.ca_file"},
		{"tls: {names: {a: b}}", "network.tls.names"},
		{"tls: 5", "network.tls"},
		{"presence: {to_matrix: maybe}", "network.presence.to_matrix"},
		{"presence: {when_offline: gone}", "network.presence.when_offline"},
		{"oauth: {client_id: a, token_url: 'http://example.org/t'}", "network.oauth.token_url"},
		{"oauth: {client_id: a, redirect_url: somewhere}", "network.oauth.redirect_url"},
		{"oauth: {client_id: a, scopes: []}", "network.oauth.scopes"},
		{"secret_key: short", "network.secret_key"},
		{"displayname_template: '{{.Nmae}}'", "network.displayname_template"},
		{"displayname_template: '{{'", "network.displayname_template"},
		{"rooms: {at_login: some}", "network.rooms.at_login"},
		{"typing: perhaps", "network.typing"},
		{"reactions: x", "network.reactions"},
		{"redactions: x", "network.redactions"},
		{"uncertain: x", "network.uncertain"},
		{"archive: {count: 0}", "network.archive.count"},
		{"expire: 1s", "network.expire"},
		{"metrics: {listen: 29391}", "network.metrics.listen"},
		{"limits: {requests: 0}", "network.limits.requests"},
	} {
		_, wrong, err := load(t, c.section)
		if len(wrong) > 0 {
			err = &KeyError{Path: wrong[0]}
		}
		var key *KeyError
		if !errors.As(err, &key) || !strings.Contains(err.Error(), c.path+": ") {
			t.Errorf("%s: got %v, want a message about %s", c.section, err, c.path)
		}
	}
}

func TestAValueOfTheWrongKindSaysWhatIsExpected(t *testing.T) {
	for _, c := range []struct{ section, want string }{
		{"keepalive: 50", `network.keepalive: "50" is not a valid value: expected a length of time such as 50s, 5m or 168h`},
		{"keepalive: [50s]", "network.keepalive: a list or section is not a valid value: expected a length of time such as 50s, 5m or 168h"},
		{"presence: {grace: soon}", `network.presence.grace: "soon" is not a valid value: expected a length of time such as 50s, 5m or 168h`},
		{"redirects: five", `network.redirects: "five" is not a valid value: expected a whole number`},
		{"redirects: [5]", "network.redirects: a list or section is not a valid value: expected a whole number"},
		{"emoticons: perhaps", `network.emoticons: "perhaps" is not a valid value: expected true or false`},
		{"domain: [a, b]", "network.domain: a list or section is not a valid value: expected a text"},
		{"oauth: {scopes: one}", `network.oauth.scopes: "one" is not a valid value: expected a list such as [a, b]`},
		{"secret_key: [short]", "network.secret_key: what stands there is not a valid value: expected a text"},
		{"tls: 5", "network.tls: is a section: its keys belong on lines of their own below it"},
	} {
		var cfg Config
		if err := yaml.Unmarshal([]byte(c.section), &cfg); err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.section, err, c.want)
		}
	}
}

func TestAnUnknownKeyIsFoundBeforeTheFileIsRewritten(t *testing.T) {
	_, unknown, _ := load(t, "domian: x\ntls: {name: [a]}\nlimits: {request: 1, requests: 2}\nnonsense: {deep: {er: 1}}")
	want := "network.domian network.tls.name network.limits.request network.nonsense"
	if got := strings.Join(unknown, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNamesFollowTheTemplate(t *testing.T) {
	cfg := &Config{DisplaynameTemplate: "{{.Name}}{{if .Email}} <{{.Email}}>{{end}}"}
	cfg.names, _ = parseNames(cfg.DisplaynameTemplate)
	if got := cfg.Displayname(Person{Name: "Ann", Email: "ann@contoso.com"}); got != "Ann <ann@contoso.com>" {
		t.Error(got)
	}
	if got := cfg.Displayname(Person{Name: "Ann"}); got != "Ann" {
		t.Error(got)
	}
}
