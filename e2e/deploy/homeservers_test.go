package deploy

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"matrix-messenger/e2e/bridge"
	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/process"
	"matrix-messenger/e2e/world"
	"matrix-messenger/messengerd"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/id"
)

const (
	secret    = "as_token:REPLACE-WITH-THE-AS_TOKEN-OF-doublepuppet.yaml"
	asToken   = "REPLACE-WITH-A-RANDOM-VALUE-1"
	testToken = "e5f1bfa2c1b04a7ab2c6d92ee58d5d53"
)

// line is what the doctor says of one check.
type line struct{ Check, Status, Message string }

// examine runs the doctor, whose exit status does not matter here.
func examine(t *testing.T, ctx context.Context, program string, args ...string) []line {
	t.Helper()
	said, _ := exec.CommandContext(ctx, program, append([]string{"doctor", "--json"}, args...)...).Output()
	var report []line
	must(t, json.Unmarshal(said, &report))
	if len(report) == 0 {
		t.Fatal("the doctor says nothing")
	}
	return report
}

func TestTheExampleConfigurationsAreAccepted(t *testing.T) {
	ctx := t.Context()
	bridge := program(t, ctx, "matrix-messenger")
	for name, exchange := range map[string]map[string]string{
		"homeservers/synapse.yaml":  {secret: "as_token:" + testToken},
		"homeservers/dendrite.yaml": {secret: "as_token:" + testToken},
		"homeservers/conduit.yaml":  {secret: "as_token:" + testToken},
		"demo/config.yaml":          {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config, registration := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "registration.yaml")
			exchange["/data/bridge.db"] = filepath.Join(dir, "bridge.db")
			if name == "demo/config.yaml" { // made by the service when it starts
				exchange["/messengerd/ca.pem"] = filepath.Join(dir, "ca.pem")
				service := messengerd.DefaultConfig()
				service.Listen, service.Certificate.CAFile = "127.0.0.1:0", filepath.Join(dir, "ca.pem")
				server, err := messengerd.New(service)
				must(t, err)
				must(t, server.Start(ctx))
				must(t, server.Close())
			}
			replaced(t, name, config, exchange)
			must(t, process.Run(ctx, process.Spec{Name: "-g", Path: bridge, Dir: dir, Args: []string{"-c", config, "-r", registration, "-g"}}))
			if first := examine(t, ctx, bridge, "-c", config, "-r", registration)[0]; first.Check != "config" || first.Status != "ok" {
				t.Errorf("the doctor says %+v", first)
			}

			// What stands in the example is still there, with everything else around it.
			text, err := os.ReadFile(config)
			must(t, err)
			var all map[string]any
			must(t, yaml.Unmarshal(text, &all))
			short := parse(t, name)
			for _, key := range [][]string{{"homeserver"}, {"appservice"}, {"bridge", "permissions"}, {"encryption"}, {"network", "oauth"}, {"double_puppet", "secrets"}} {
				wanted, _ := value(short, key...).(map[string]any)
				for inner, v := range wanted {
					if kept := value(all, append(key, inner)...); kept != v && v != secret {
						t.Errorf("%s.%s is %v instead of %v", strings.Join(key, "."), inner, kept, v)
					}
				}
			}
			var reg struct{ ID, URL string }
			text, err = os.ReadFile(registration)
			must(t, err)
			must(t, yaml.Unmarshal(text, &reg))
			if reg.URL != value(short, "appservice", "address") || reg.ID != "messenger" {
				t.Errorf("the registration is %+v", reg)
			}
		})
	}
}

func TestTheDoublePuppetRegistrationTakesNobodyOver(t *testing.T) {
	var reg struct {
		ID, AsToken, HsToken, SenderLocalpart string
		URL                                   *string
		Namespaces                            struct {
			Users []struct {
				Regex     string
				Exclusive bool
			}
		}
	}
	must(t, yaml.Unmarshal([]byte(read(t, "homeservers/doublepuppet.yaml")), &reg))
	users := reg.Namespaces.Users
	if reg.URL != nil || reg.ID == "messenger" || len(users) != 1 || users[0].Exclusive {
		t.Errorf("it is %+v", reg)
	}
	if at := regexp.MustCompile("^" + users[0].Regex + "$"); !at.MatchString("@alice:example.org") || at.MatchString("@alice:examplexorg") {
		t.Errorf("it is for %s", users[0].Regex)
	}
}

// The way of an admin with Dendrite, or with Synapse where the tests run on that: the example, the registrations, an encrypted room, and what was written elsewhere as the user's own.
func TestTheExampleRunsWithDoublePuppetingAndEncryption(t *testing.T) {
	const server = "home.test"
	kind, flags := "dendrite", []string{"--ignore-unsupported-server"}
	if world.OnSynapse() {
		kind, flags = "synapse", nil
	}
	d := newDeployment(t, server)
	ctx := d.ctx
	config := messengerd.DefaultConfig()
	config.Listen = "127.0.0.1:0"
	config.Certificate.CAFile = d.file("ca.pem")
	config.Accounts = []messengerd.AccountConfig{
		{Email: "john@contoso.com", Name: "John"},
		{Email: "mary@contoso.com", Name: "Mary", Contact: true, Contacts: []messengerd.ContactConfig{{Account: "john@contoso.com", Subscription: "both"}}},
	}
	service, err := messengerd.New(config)
	must(t, err)
	must(t, service.Start(ctx))
	t.Cleanup(func() { _ = service.Close() })

	homeAddress, bridgeAddress := d.free(), d.free()
	_, port, err := net.SplitHostPort(bridgeAddress)
	must(t, err)
	replaced(t, "homeservers/doublepuppet.yaml", d.file("doublepuppet.yaml"), map[string]string{
		asToken: testToken, "REPLACE-WITH-A-RANDOM-VALUE-2": "2", "REPLACE-WITH-A-RANDOM-VALUE-3": "3", `example\.org`: `home\.test`,
	})
	replaced(t, "homeservers/"+kind+".yaml", d.file("config.yaml"), map[string]string{
		"http://" + kind + ":8008": "http://" + homeAddress, "http://matrix-messenger:29390": "http://" + bridgeAddress, "port: 29390": "port: " + port,
		"hostname: 0.0.0.0": "hostname: 127.0.0.1", "/data/bridge.db": d.file("bridge.db"), "example.org": server, secret: "as_token:" + testToken,
	})
	must(t, bridge.EditYAML(d.file("config.yaml"), map[string]any{"network.address": service.Addr(), "network.tls.ca_file": d.file("ca.pem")}))
	args := []string{"-c", d.file("config.yaml"), "-r", d.file("registration.yaml")}
	path := program(t, ctx, "matrix-messenger")
	must(t, process.Run(ctx, process.Spec{Name: "-g", Path: path, Dir: d.dir, Args: append(args, "-g")}))
	d.runHomeserver(homeAddress, d.file("registration.yaml"), d.file("doublepuppet.yaml"))
	// The steps say: look it over before the first start.
	for _, line := range examine(t, ctx, path, args...) {
		if line.Status == "fail" && line.Check != "oauth" { // whose addresses are Microsoft's in the example
			t.Errorf("before the first start the doctor says %+v", line)
		}
	}
	d.runBridge(bridgeAddress, process.Spec{Name: "matrix-messenger", Path: path, Dir: d.dir, Args: append(args, flags...)})

	must(t, d.home.CreateUser(ctx, "ann", password, "Ann"))
	d.signIn("john", service.IssueToken("john@contoso.com"))
	phone, err := matrix.LoginEncrypted(ctx, d.home.URL(), "john", password)
	must(t, err)
	t.Cleanup(phone.Close)
	mary := service.Account("mary@contoso.com")
	must(t, mary.SendMessage("john@contoso.com", "hello from Mary"))
	room, err := d.user.RoomWithTitle(ctx, "Mary")
	must(t, err)
	_, err = phone.WaitText(ctx, room, "hello from Mary")
	must(t, err)
	if trust, err := phone.Trust(ctx, d.bot()); err != nil || trust < id.TrustStateCrossSignedUntrusted {
		t.Errorf("the bridge's device is %v (%v): it has not signed itself", trust, err)
	}
	_, err = phone.Say(ctx, room.ID(), "hello from Matrix")
	must(t, err)
	received, err := mary.WaitReceived(ctx, 1)
	must(t, err)
	if received[0].Body != "hello from Matrix" {
		t.Errorf("Mary got %q", received[0].Body)
	}
	must(t, service.Account("john@contoso.com").SendMessage("mary@contoso.com", "from another program"))
	d.command("history mary", "")
	sender, err := phone.WaitText(ctx, room, "from another program")
	must(t, err)
	if sender != d.user.UserID() {
		t.Errorf("what John wrote elsewhere is shown as written by %s", sender)
	}
}
