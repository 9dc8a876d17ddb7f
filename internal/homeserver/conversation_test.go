package homeserver_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// deadline is a safety net, not a measure.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestARealBridgeHoldsAConversationOverThisHomeserver(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	bridge := startBridge(ctx, t, hs)
	alice := hs.User("alice")
	client := bridge.login(ctx, t, alice)

	if result := client.say("mary", "m1", "hello Alice"); !result.Success || result.Error != nil {
		t.Fatalf("say: %+v", result)
	}
	room := must(alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.Has(ghost(hs, "mary")) }))(t)
	if !room.Joined(alice.ID) || !room.Joined(ghost(hs, "mary")) {
		t.Errorf("members %+v: the double puppet and the ghost should have joined", room.Members)
	}
	if name := room.Members[ghost(hs, "mary")].DisplayName; name != "Name of mary" {
		t.Errorf("ghost's name in the room is %q", name)
	}
	if ev := must(alice.WaitText(ctx, room.ID, "hello Alice"))(t); ev.Sender != ghost(hs, "mary") {
		t.Errorf("sent by %s", ev.Sender)
	}

	must(alice.SendText(room.ID, "hello Mary"))(t)
	if got := bridge.net.waitFor(ctx, t, 1); got[0] != "hello Mary" {
		t.Errorf("network got %q", got)
	}
	if err := bridge.as.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	sends := hs.Requests(homeserver.Sends("m.room.message"))
	if len(sends) != 1 || sends[0].UserID != ghost(hs, "mary") || sends[0].TxnID == "" || sends[0].Status != http.StatusOK {
		t.Errorf("recorded sends %+v", sends)
	}
}

func TestBotCommandsAreAnsweredInAManagementRoom(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	startBridge(ctx, t, hs)
	alice := hs.User("alice")
	bot := id.NewUserID("messengerbot", hs.Domain())
	room := must(alice.CreateRoom(homeserver.RoomOptions{Direct: true, Invite: []id.UserID{bot}}))(t)
	must(alice.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
		return ev.Type == "m.room.member" && *ev.StateKey == bot.String() && ev.Get("membership") == "join"
	}))(t)
	must(alice.SendText(room, "help"))(t)
	must(alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool { return ev.Sender == bot && ev.MsgType() == event.MsgNotice }))(t)
}

func TestMessagesSurviveAnOutageOfTheHomeserverInOrder(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{PushBatch: 3})
	bridge := startBridge(ctx, t, hs)
	alice := hs.User("alice")
	client := bridge.login(ctx, t, alice)
	client.say("mary", "m1", "first")
	room := must(alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.Has(ghost(hs, "mary")) }))(t)

	bridge.as.Hold(true)
	var want []string
	for i := range 20 {
		want = append(want, "message "+strconv.Itoa(i))
		must(alice.SendText(room.ID, want[i]))(t)
	}
	hs.Down()
	if _, err := http.Get(hs.URL() + "/_matrix/client/versions"); err == nil {
		t.Error("a homeserver that is down answered")
	}
	if err := hs.Up(); err != nil {
		t.Fatal(err)
	}
	if len(bridge.net.received()) != 0 {
		t.Error("held events were pushed")
	}
	bridge.as.Hold(false)
	if got := bridge.net.waitFor(ctx, t, len(want)); !slices.Equal(got, want) {
		t.Errorf("network got %q", got)
	}
	for _, pushed := range bridge.as.Pushed() {
		if pushed.Events > 3 {
			t.Errorf("transaction %s has %d events", pushed.ID, pushed.Events)
		}
	}
}
