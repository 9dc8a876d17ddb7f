package messengerd_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

func TestTheConfigurationIsReadStrictly(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"an unknown key", "lisen: x", "lisen (line 1): unknown key"},
		{"an unknown key inside", "certificate:\n  ca: x", "certificate.ca (line 2): unknown key"},
		{"an unknown key in a list", "accounts:\n- email: a@b\n  nme: x", "accounts[0].nme (line 3): unknown key"},
		{"a key given twice", "domain: a\ndomain: b", "domain (line 2): given twice"},
		{"an unknown value", "switches: {ping: dance}", `switches.ping: "dance" is not one of service-unavailable, result, silence`},
		{"an unknown value inside", "switches: {redirect_end: {close: dance}}", "switches.redirect_end.close"},
		{"a list for a text", "domain: [a]", "domain (line 1): must be a single value"},
		{"a text for a mapping", "switches: x", "switches (line 1): must be a mapping"},
		{"a text for a list", "accounts: x", "accounts (line 1): must be a list"},
		{"a text for a number", "switches: {longest_stanza: many}", `switches.longest_stanza (line 1): "many" is not a whole number`},
		{"a text for a truth value", "switches: {mutual_contacts: perhaps}", "switches.mutual_contacts"},
		{"a bad duration", "switches: {idle_cut: -1s}", "switches.idle_cut"},
		{"a bad address", "listen: nowhere", "listen"},
		{"a control interface for the world", "control: {listen: '0.0.0.0:1'}", "control.listen"},
		{"OAuth without client", "oauth: {listen: '127.0.0.1:1'}", "oauth.client_id"},
		{"an account without address", "accounts: [{name: x}]", "accounts[0]: needs email or jid"},
		{"an account of another domain", "accounts: [{jid: a@b.c}]", "accounts[0].jid"},
		{"a behaviour without program", "accounts: [{email: a@b, behaviour: echo}]", "accounts[0].behaviour"},
		{"a token without account", "tokens: [{token: x}]", "tokens[0]"},
		{"an unknown stream error", "switches: {faults: {stream_error: oh}}", "switches.faults.stream_error"},
		{"two documents", "domain: a\n---\ndomain: b", "more than one"},
		{"not YAML", "a: b: c", "not valid YAML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := messengerd.ParseConfig([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestConfiguredValuesArrive(t *testing.T) {
	cfg, err := messengerd.ParseConfig([]byte(`
listen: 127.0.0.1:0
switches:
  idle_cut: off
  token_life: {life: 90}
  redirect_target: {form: ipv4, chain: 3}
accounts:
- email: a@contoso.com
  contacts: [b@contoso.com, {account: c@contoso.com, name: Cy, subscription: invites}]
- {email: b@contoso.com, contact: true, behaviour: script, script: [{wait: 1s, say: hi}, {await: true}]}
- email: c@contoso.com
`))
	if err != nil {
		t.Fatal(err)
	}
	sw := cfg.Switches
	if sw.IdleCut != 0 || sw.TokenLife.Life != 90*time.Second || sw.TokenLife.Stream != "kept" || sw.RedirectTarget.Chain != 3 || sw.RedirectStage != "after_tls" {
		t.Errorf("switches: %+v", sw)
	}
	if c := cfg.Accounts[0].Contacts; c[0].Account != "b@contoso.com" || c[1].Subscription != "invites" {
		t.Errorf("contacts: %+v", c)
	}
	s := start(t, cfg)
	got := s.Account("a@contoso.com").Contacts()
	if len(got) != 2 || got[0].Subscription != "both" || !got[1].Invites {
		t.Errorf("contacts: %+v", got)
	}
	if got := s.Account("c@contoso.com").Contacts(); len(got) != 1 || got[0].Ask != "subscribe" {
		t.Errorf("the other side: %+v", got)
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := messengerd.LoadConfig(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("oh: no"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := messengerd.LoadConfig(path); err == nil || !strings.Contains(err.Error(), path+": oh (line 1): unknown key") {
		t.Errorf("got %v", err)
	}
}

// rows are the rows of protocol section 15, in its order, and what they are called here.
var rows = []string{
	"certificate", "features_before_tls", "stream_header", "xml_style", "redirect_stage", "redirect_target", "redirect_end",
	"mechanism", "sasl_failure", "issued_tokens", "token_life", "expires_in", "refresh_token", "token_address", "localpart",
	"resource", "session_feature", "iq_from", "disco_info", "idle_cut", "ping", "longest_stanza", "adding_contacts",
	"roster_refusal", "refused_presence", "mutual_contacts", "getjid", "presence", "vcard", "empty_archive", "archive",
	"messages", "faults",
}

func TestEveryRowOfTheTableHasItsKey(t *testing.T) {
	typ := reflect.TypeFor[messengerd.Switches]()
	if typ.NumField() != len(rows) {
		t.Errorf("%d switches, %d rows", typ.NumField(), len(rows))
	}
	for i := range min(typ.NumField(), len(rows)) {
		f := typ.Field(i)
		if f.Tag.Get("yaml") != rows[i] || f.Tag.Get("doc") == "" || f.Tag.Get("see") == "" {
			t.Errorf("row %d: %s, want %s with its explanation", i, f.Tag.Get("yaml"), rows[i])
		}
	}
	sw := messengerd.DefaultSwitches()
	if err := sw.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// keysOf visits every key of the configuration.
func keysOf(typ reflect.Type, visit func(reflect.StructField)) {
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Tag.Get("yaml") == "-" {
			continue
		}
		visit(f)
		keysOf(f.Type, visit)
	}
}

func TestHelpAndDocumentationNameEveryKeyAndValue(t *testing.T) {
	document, err := os.ReadFile("../docs/messengerd.md")
	if err != nil {
		t.Fatal(err)
	}
	help := messengerd.Help()
	keysOf(reflect.TypeFor[messengerd.Config](), func(f reflect.StructField) {
		key := f.Tag.Get("yaml")
		if f.Tag.Get("doc") == "" {
			t.Errorf("%s has no explanation", key)
		}
		if !strings.Contains(help, " "+key+":") {
			t.Errorf("-h does not name %s", key)
		}
		if !strings.Contains(string(document), "`"+key+"`") {
			t.Errorf("docs/messengerd.md does not name %s", key)
		}
	})
	keysOf(reflect.TypeFor[messengerd.Switches](), func(f reflect.StructField) {
		for value := range strings.SplitSeq(f.Tag.Get("values"), "|") {
			if value != "" && !strings.Contains(string(document), "`"+value+"`") {
				t.Errorf("docs/messengerd.md does not name the value %s of %s", value, f.Tag.Get("yaml"))
			}
		}
	})
}

func TestAChangeToAnUnknownValueChangesNothing(t *testing.T) {
	s := start(t, people())
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.Ping, sw.DiscoInfo = "dance", "error" }); err == nil || !strings.Contains(err.Error(), "switches.ping") {
		t.Errorf("got %v", err)
	}
	if got := s.Switches().DiscoInfo; got != "jidlookup" {
		t.Errorf("disco_info became %q", got)
	}
}

func TestTheDocumentedQuickStartIsAGoodConfiguration(t *testing.T) {
	document, err := os.ReadFile("../docs/messengerd.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(document), "## Quick start\n\n")
	text, _, found := strings.Cut(rest, "\n    $ ")
	if !found {
		t.Fatal("there is no quick start")
	}
	cfg, err := messengerd.ParseConfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Certificate.CAFile = ""
	s, err := messengerd.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if account, _ := s.Tokens().Lookup(cfg.Tokens[0].Token); account != s.Account("john@contoso.com").JID() {
		t.Errorf("the token is of %q", account)
	}
}
