package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"matrix-messenger/e2e/bridge"
	"matrix-messenger/e2e/process"
	"matrix-messenger/e2e/world"
)

func TestAWrongConfigurationIsRefusedWithTheKeyAndAReason(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	program, err := bridge.Build(ctx, "matrix-messenger", nil)
	must(t, err)
	for _, test := range []struct {
		name   string
		values map[string]any
		says   []string
	}{
		{"a key that does not exist", map[string]any{"network.adress": "127.0.0.1:5222"}, []string{"network.adress"}},
		{"a key that does not exist, further down", map[string]any{"network.tls.verify": false}, []string{"network.tls.verify"}},
		{"a word that is not among the choices", map[string]any{"network.typing": "sometimes"}, []string{"network.typing", "auto"}},
		{"a time that is none", map[string]any{"network.keepalive": "soon"}, []string{"network.keepalive"}},
		{"an address without a port", map[string]any{"network.address": "messenger.example"}, []string{"network.address"}},
		{"roots that are not there", map[string]any{"network.tls.ca_file": "/nowhere/ca.pem"}, []string{"network.tls.ca_file", "/nowhere/ca.pem"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, err := process.FreeAddress()
			must(t, err)
			b, err := bridge.New(ctx, program, bridge.Options{
				Dir: filepath.Join(t.TempDir(), "bridge"), Homeserver: "http://127.0.0.1:1", ServerName: world.ServerName, Admin: world.User,
				Address: address, Domain: world.Domain,
			})
			must(t, err)
			must(t, b.Edit(test.values))
			must(t, b.Launch())
			defer b.Kill()
			output, err := b.Refused(ctx)
			must(t, err)
			for _, text := range test.says {
				if !strings.Contains(output, text) {
					t.Errorf("%q is not in what the bridge printed:\n%s", text, output)
				}
			}
		})
	}
}

func TestASignInThatFailsIsExplainedInTheChatWithTheBot(t *testing.T) {
	for _, test := range []struct {
		name    string
		bridge  map[string]any
		prepare func(t *testing.T, w *world.World)
		token   string
		says    []string
	}{
		{
			name: "a wrong token", token: "bm90IGEgdG9rZW4=",
			says: []string{"does not accept", "get a new one", "login command"},
		},
		{
			name: "an unreachable service", token: "c29tZSB0b2tlbg==",
			prepare: func(t *testing.T, w *world.World) { must(t, w.StopService()) },
			says:    []string{"cannot be reached", "try again"},
		},
		{
			name: "a certificate of an unknown authority", token: "c29tZSB0b2tlbg==",
			bridge: map[string]any{"network.tls.ca_file": ""},
			says:   []string{"certificate", "not trusted", "network.tls"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, ctx := newWorld(t, world.Setup{Bridge: test.bridge})
			if test.prepare != nil {
				test.prepare(t, w)
			}
			must(t, w.AskForToken(ctx))
			answer, err := w.Command(ctx, test.token, test.says[0])
			must(t, err)
			for _, text := range test.says[1:] {
				if !strings.Contains(answer.Body, text) {
					t.Errorf("%q is not in the bot's answer %q", text, answer.Body)
				}
			}
			if w.Bridge.Logged(test.token) {
				t.Error("the token is in the bridge's log")
			}
		})
	}
}

func TestSigningInThroughTheServicesPage(t *testing.T) {
	w, ctx := newWorld(t, world.Setup{})
	must(t, w.SignInWithBrowser(ctx))
	must(t, w.Mary().SendMessage(world.UserMail, "so you found the way in"))
	room, err := w.John.RoomWithTitle(ctx, "Mary Contoso")
	must(t, err)
	say(t, ctx, room, "the page was easy")
	received, err := w.Mary().WaitReceived(ctx, 1)
	must(t, err)
	if received[0].Body != "the page was easy" {
		t.Errorf("Mary got %q", received[0].Body)
	}
}
