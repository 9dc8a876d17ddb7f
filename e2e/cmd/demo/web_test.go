package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrix-messenger/e2e/dendrite"
	"matrix-messenger/e2e/homeserver"
	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/process"

	"maunium.net/go/mautrix/id"
)

func TestTheBrowserClientSignsInAndShowsAChat(t *testing.T) {
	for _, program := range []string{"npm", "node", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("peer: %s is not installed", program)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	programs, err := dendrite.Build(ctx, nil)
	must(err)
	address, err := process.FreeAddress()
	must(err)
	server, err := dendrite.New(ctx, programs, homeserver.Options{
		Name: "home.test", Dir: filepath.Join(t.TempDir(), "dendrite"), Address: address,
	})
	must(err)
	must(server.Start(ctx))
	defer server.Kill()
	const password = "a long password"
	var clients []*matrix.Client
	for _, name := range []string{"ann", "ben"} {
		must(server.CreateUser(ctx, name, password, strings.ToUpper(name)))
		client, err := matrix.Login(ctx, server.URL(), name, password)
		must(err)
		defer client.Close()
		clients = append(clients, client)
	}
	room, err := clients[0].DirectChat(ctx, id.NewUserID("ben", "home.test"))
	must(err)
	_, err = room.Say(ctx, "seen in a browser")
	must(err)

	site, err := startWebClient(ctx, newScreen(os.Stderr), server.URL())
	must(err)
	defer site.Close()
	root, err := process.RepoRoot()
	must(err)
	look, err := process.Start(process.Spec{
		Name: "look.mjs", Path: "node", Dir: filepath.Join(root, "e2e", "web"),
		Args: []string{"look.mjs", site.URL(), "ben", password, "ANN", filepath.Join(t.TempDir(), "chat.png")},
	})
	must(err)
	defer look.Kill()
	looking, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := look.Wait(looking); err != nil {
		t.Fatalf("%v\n%s", err, look.Tail(30))
	}
	if shown := look.Tail(50); !strings.Contains(shown, "seen in a browser") {
		t.Errorf("the browser shows:\n%s", shown)
	}
}
