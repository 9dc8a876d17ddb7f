package dendrite_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrix-messenger/e2e/dendrite"
	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/process"

	"maunium.net/go/mautrix/id"
)

func TestTheHomeserverKeepsUsersAndMessagesOverARestart(t *testing.T) {
	building, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	programs, err := dendrite.Build(building, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	address, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	server, err := dendrite.New(ctx, programs, dendrite.Options{
		Name: "home.test", Dir: filepath.Join(t.TempDir(), "dendrite"), Address: address,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer server.Kill()
	for _, name := range []string{"ann", "ben"} {
		if err := server.CreateUser(ctx, name, "a long password", strings.ToUpper(name)); err != nil {
			t.Fatal(err)
		}
	}
	login := func(name string) *matrix.Client {
		client, err := matrix.Login(ctx, server.URL(), name, "a long password")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	ann, ben := login("ann"), login("ben")
	room, err := ann.DirectChat(ctx, id.NewUserID("ben", "home.test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := room.Say(ctx, "grüße & <tags>\nsecond line"); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	there, err := ben.RoomWithTitle(ctx, "ANN")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := room.Say(ctx, "after the restart"); err != nil {
		t.Fatal(err)
	}
	bodies, err := there.WaitMessagesFrom(ctx, ann.UserID(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if bodies[0] != "grüße & <tags>\nsecond line" || bodies[1] != "after the restart" {
		t.Errorf("ben read %q", bodies)
	}
}
