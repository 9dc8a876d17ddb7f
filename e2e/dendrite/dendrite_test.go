package dendrite_test

import (
	"context"
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

func TestTheHomeserverKeepsUsersAndMessagesOverARestart(t *testing.T) {
	server, ctx := start(t)
	ann, ben := signUp(t, ctx, server, "ann"), signUp(t, ctx, server, "ben")
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

func TestAHomeserverThatIsKilledWhileSomebodyJoinsStartsAgain(t *testing.T) {
	server, ctx := start(t)
	ann, ben := signUp(t, ctx, server, "ann"), signUp(t, ctx, server, "ben")
	for range 8 {
		if _, err := ann.DirectChat(ctx, ben.UserID()); err != nil {
			t.Fatal(err)
		}
		server.Kill()
		if err := server.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// start runs a homeserver until the end of the test.
func start(t *testing.T) (*dendrite.Server, context.Context) {
	t.Helper()
	building, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	programs, err := dendrite.Build(building, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	address, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	server, err := dendrite.New(ctx, programs, homeserver.Options{
		Name: "home.test", Dir: filepath.Join(t.TempDir(), "dendrite"), Address: address,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server, ctx
}

// signUp makes an account and signs in.
func signUp(t *testing.T, ctx context.Context, server *dendrite.Server, name string) *matrix.Client {
	t.Helper()
	if err := server.CreateUser(ctx, name, "a long password", strings.ToUpper(name)); err != nil {
		t.Fatal(err)
	}
	client, err := matrix.Login(ctx, server.URL(), name, "a long password")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
