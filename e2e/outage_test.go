package e2e

import (
	"context"
	"slices"
	"testing"

	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/world"

	"maunium.net/go/mautrix/id"
)

// chatWithMary signs John in and returns the room with Mary and her ghost.
func chatWithMary(t *testing.T, ctx context.Context, w *world.World) (*matrix.Room, id.UserID) {
	t.Helper()
	signIn(t, ctx, w)
	must(t, w.Mary().SendMessage(world.UserMail, "hello"))
	room, err := w.John.RoomWithTitle(ctx, "Mary Contoso")
	must(t, err)
	first, err := room.WaitMessage(ctx, "Mary's message", func(m matrix.Message) bool { return m.Body == "hello" })
	must(t, err)
	return room, first.Sender
}

// expectExchange sends the texts both ways and fails unless both sides get them, in order, once.
func expectExchange(t *testing.T, ctx context.Context, w *world.World, room *matrix.Room, mary id.UserID, texts ...string) {
	t.Helper()
	got := exchange(t, ctx, w, room, mary, texts)
	if !slices.Equal(got.atMary, texts) || !slices.Equal(got.inRoom, texts) {
		t.Errorf("Mary got %q, the room shows %q, want %q", got.atMary, got.inRoom, texts)
	}
}

func TestARestartOfTheServiceNeedsNoRestartOfTheBridge(t *testing.T) {
	w, ctx := newWorld(t, world.Setup{})
	room, mary := chatWithMary(t, ctx, w)

	must(t, w.StopService())
	say(t, ctx, room, "written while Messenger was away")
	must(t, w.StartService(ctx))

	received, err := w.Mary().WaitReceived(ctx, 1)
	must(t, err)
	if received[0].Body != "written while Messenger was away" {
		t.Errorf("Mary got %q", received[0].Body)
	}
	expectExchange(t, ctx, w, room, mary, "back again", "all is well")
}

func TestARestartOfTheHomeserverNeedsNoRestartOfTheBridge(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*world.World) error
	}{
		{"stopped in order", func(w *world.World) error { return w.Home.Stop() }},
		{"killed", func(w *world.World) error { w.Home.Kill(); return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, ctx := newWorld(t, world.Setup{})
			room, mary := chatWithMary(t, ctx, w)

			must(t, test.end(w))
			must(t, w.Mary().SendMessage(world.UserMail, "written while the homeserver was away"))
			must(t, w.Home.Start(ctx))

			bodies, err := room.WaitMessagesFrom(ctx, mary, 2)
			must(t, err)
			if bodies[1] != "written while the homeserver was away" {
				t.Errorf("the room shows %q", bodies)
			}
			expectExchange(t, ctx, w, room, mary, "back again", "all is well")
		})
	}
}

func TestAKilledBridgeLosesNothingAndRepeatsNothing(t *testing.T) {
	w, ctx := newWorld(t, world.Setup{})
	room, mary := chatWithMary(t, ctx, w)

	w.Bridge.Kill()
	var texts []string
	for _, text := range []string{"one", "two", "three"} {
		texts = append(texts, text)
		must(t, w.Mary().SendMessage(world.UserMail, text))
		say(t, ctx, room, text)
	}
	must(t, w.Bridge.Start(ctx))

	bodies, err := room.WaitMessagesFrom(ctx, mary, 1+len(texts))
	must(t, err)
	received, err := w.Mary().WaitReceived(ctx, len(texts))
	must(t, err)
	var atMary []string
	for _, message := range received {
		atMary = append(atMary, message.Body)
	}
	if !slices.Equal(bodies[1:], texts) || !slices.Equal(atMary, texts) {
		t.Errorf("the room shows %q, Mary got %q", bodies, atMary)
	}
	expectExchange(t, ctx, w, room, mary, "four", "five")
}
