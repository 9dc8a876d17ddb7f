package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// usable is a configuration that everything the framework asks for stands in, and no secret_key.
const usable = `
homeserver: {address: "http://127.0.0.1:8008", domain: matrix.example}
appservice: {as_token: a, hs_token: b}
database: {type: sqlite3-fk-wal, uri: "file:bridge.db?_txlock=immediate"}
bridge: {permissions: {matrix.example: user}}
`

// judge looks a configuration over, and nothing else.
func judge(t *testing.T, text string) (*setup, Result) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var result Result
	d := &doctor{opts: Options{Config: file}, report: func(r Result) { result = r }}
	found, _ := d.config()
	return found, result
}

func TestTheEnvironmentIsPartOfTheConfiguration(t *testing.T) {
	text := usable + "env_config_prefix: DOCTORED_\n"
	if found, result := judge(t, text); found == nil || result.Status != Warn || !strings.Contains(result.Message, "secret_key") {
		t.Fatalf("without a key it says %+v", result)
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("a key from a file of its own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCTORED_NETWORK__SECRET_KEY_FILE", key)
	t.Setenv("DOCTORED_NETWORK__EXPIRE", "36h")
	t.Setenv("DOCTORED_NETWORK__OAUTH__CLIENT_ID", "from the environment")
	found, result := judge(t, text)
	if found == nil || result.Status != OK {
		t.Fatalf("with a key it says %+v", result)
	}
	got := found.network
	if got.SecretKey != "a key from a file of its own" || got.Expire.Of() != 36*time.Hour || got.OAuth.ClientID != "from the environment" {
		t.Errorf("the bridge would run with %q, %s, %q", got.SecretKey, got.Expire.Of(), got.OAuth.ClientID)
	}
	for value, says := range map[string]string{"soon": "length of time", "1s": "at least"} {
		t.Setenv("DOCTORED_NETWORK__EXPIRE", value)
		found, result = judge(t, text)
		if found != nil || result.Status != Fail || !strings.Contains(result.Message, "network.expire") ||
			!strings.Contains(result.Message, says) || !strings.Contains(result.Remedy, "DOCTORED_") {
			t.Errorf("with %s it says %+v", value, result)
		}
	}
}

func TestAVariableThatCannotBeReadIsNamedWithWhatIsExpected(t *testing.T) {
	text := usable + "env_config_prefix: DOCTORED_\n"
	for _, test := range []struct{ name, value, says string }{
		{"DOCTORED_NETWORK__REDIRECTS", "some", "a whole number"},
		{"DOCTORED_NETWORK__EMOTICONS", "perhaps", "true or false"},
		{"DOCTORED_NETWORK__SECRET_KEY_FILE", "/nowhere/at/all", "/nowhere/at/all"},
		{"DOCTORED_NETWORK__THERE_IS_NO_SUCH_KEY", "anything", "no key of the configuration"},
		{"DOCTORED_NETWORK__OAUTH__SCOPES", "wl.messenger", "into the configuration file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DOCTORED_NETWORK__EXPIRE", "36h") // is fine, and stays
			t.Setenv(test.name, test.value)
			found, result := judge(t, text)
			if found != nil || result.Status != Fail || !strings.Contains(result.Message, test.name+" ") || !strings.Contains(result.Message, test.says) {
				t.Errorf("it says %+v", result)
			}
			if os.Getenv(test.name) != test.value || os.Getenv("DOCTORED_NETWORK__EXPIRE") != "36h" {
				t.Error("the environment is not what it was")
			}
		})
	}
}

func TestThePublicAddressOfTheExampleIsNone(t *testing.T) {
	key := "network: {secret_key: 0123456789abcdef0123456789abcdef, oauth: {client_id: x, redirect_url: callback}}\n"
	oauth := func(text string) Result {
		found, result := judge(t, text)
		if found == nil {
			t.Fatalf("%+v", result)
		}
		d := &doctor{setup: found, report: func(r Result) { result = r }}
		d.oauth(t.Context())
		return result
	}
	// What is not in the file is filled in from the framework's example, the address too.
	if result := oauth(usable + key); result.Status != Fail || !strings.Contains(result.Remedy, "appservice.public_address") {
		t.Errorf("a callback without an address: %+v", result)
	}
	found, result := judge(t, usable+"public_media: {enabled: true}\n"+key)
	if found != nil || result.Status != Fail || !strings.Contains(result.Message, "appservice.public_address") {
		t.Errorf("public media without an address: %+v", result)
	}
	addressed := strings.Replace(usable, "as_token: a,", "as_token: a, public_address: 'https://bridge.real.example',", 1)
	if found, result = judge(t, addressed+"public_media: {enabled: true}\n"+key); found == nil || result.Status != OK {
		t.Errorf("with an address: %+v", result)
	}
}
