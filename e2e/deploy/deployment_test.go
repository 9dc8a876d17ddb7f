package deploy

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrix-messenger/e2e/homeserver"
	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/process"
	"matrix-messenger/e2e/world"

	"maunium.net/go/mautrix/id"
)

// password is everybody's on the homeserver.
const password = "a long password"

// deployment is a homeserver and the bridge on this machine, from the files of deploy/.
type deployment struct {
	t      *testing.T
	ctx    context.Context
	dir    string
	server string // the homeserver's name
	home   homeserver.Server
	tidy   func() error // takes away what the homeserver leaves outside of dir; nil: nothing
	bridge *process.Process
	user   *matrix.Client
	chat   *matrix.Room // the user's with the bot
}

func (d *deployment) file(name string) string { return filepath.Join(d.dir, name) }

// newDeployment only makes a place.
func newDeployment(t *testing.T, server string) *deployment {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	d := &deployment{t: t, ctx: ctx, dir: t.TempDir(), server: server}
	t.Cleanup(d.close)
	return d
}

func (d *deployment) close() {
	if d.t.Failed() && d.bridge != nil {
		d.t.Logf("--- bridge\n%s", d.bridge.Tail(60))
	}
	if d.t.Failed() && d.chat != nil {
		d.t.Logf("--- chat with the bot\n%s", d.chat.Transcript())
	}
	if d.user != nil {
		d.user.Close()
	}
	if d.bridge != nil {
		if err := d.bridge.Stop(); err != nil {
			d.t.Error(err)
		}
	}
	if d.home != nil {
		if err := d.home.Stop(); err != nil {
			d.t.Error(err)
		}
	}
	if d.tidy != nil {
		if err := d.tidy(); err != nil {
			d.t.Error(err)
		}
	}
}

// free is a free host:port on loopback.
func (d *deployment) free() string {
	d.t.Helper()
	address, err := process.FreeAddress()
	must(d.t, err)
	return address
}

// runHomeserver starts the homeserver with these registrations.
func (d *deployment) runHomeserver(address string, registrations ...string) {
	d.t.Helper()
	home, tidy, err := world.NewHome(d.ctx, nil, homeserver.Options{Name: d.server, Dir: d.dir, Address: address, Registrations: registrations})
	must(d.t, err)
	d.home, d.tidy = home, tidy
	must(d.t, d.home.Start(d.ctx))
}

// runBridge starts the bridge by a command and waits until it is ready.
func (d *deployment) runBridge(address string, spec process.Spec) {
	d.t.Helper()
	var err error
	d.bridge, err = process.Start(spec)
	must(d.t, err)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(d.ctx, http.MethodGet, "http://"+address+"/_matrix/mau/ready", nil)
		must(d.t, err)
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-d.bridge.Done():
			d.t.Fatalf("the bridge ended: %v", d.bridge.Err())
		case <-d.ctx.Done():
			d.t.Fatal("the bridge does not become ready")
		}
	}
}

// signIn makes a user of the homeserver and signs them in at the service, with a token.
func (d *deployment) signIn(localpart, token string) {
	d.t.Helper()
	must(d.t, d.home.CreateUser(d.ctx, localpart, password, localpart))
	var err error
	d.user, err = matrix.Login(d.ctx, d.home.URL(), localpart, password)
	must(d.t, err)
	d.chat, err = d.user.DirectChat(d.ctx, d.bot())
	must(d.t, err)
	d.command("login token "+token, "logged in")
}

// command says something to the bot and waits for an answer with a text.
func (d *deployment) command(command, text string) {
	d.t.Helper()
	before := len(d.chat.Messages())
	_, err := d.chat.Say(d.ctx, command)
	must(d.t, err)
	must(d.t, d.chat.WaitMessages(d.ctx, fmt.Sprintf("an answer with %q", text), func(messages []matrix.Message) bool {
		for _, message := range messages[min(before, len(messages)):] {
			if message.Sender == d.bot() && strings.Contains(strings.ToLower(message.Body), text) {
				return true
			}
		}
		return false
	}))
}

func (d *deployment) bot() id.UserID { return id.NewUserID("messengerbot", d.server) }
