package homeserver_test

import (
	"context"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
)

func TestARequestMayTakeEffectAfterItsClientHasGone(t *testing.T) {
	ctx := deadline(t)
	hs := homeserver.Start(t, homeserver.Options{})
	alice := hs.User("alice")
	room := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	cli := client(t, hs, alice.ID, alice.Token(), false)
	cli.DefaultHTTPRetries = 0
	send := func(text string) {
		fault := hs.Inject(&homeserver.Fault{Match: homeserver.To("send"), Delay: 100 * time.Millisecond, Anyway: true, Times: 1})
		impatient, leave := context.WithCancel(ctx)
		left := make(chan error, 1)
		go func() {
			_, err := cli.SendMessageEvent(impatient, room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: text})
			left <- err
		}()
		if err := fault.WaitHits(ctx, 1); err != nil {
			t.Fatal(err)
		}
		leave()
		if err := <-left; err == nil {
			t.Error("the client got an answer")
		}
	}
	send("late")
	if _, err := alice.WaitText(ctx, room, "late"); err != nil {
		t.Error(err)
	}
	send("never")
	if err := hs.Restart(); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.SendText(room, "after the restart"); err != nil {
		t.Fatal(err)
	}
	if n := len(alice.Messages(room)); n != 2 {
		t.Errorf("the room shows %d messages", n)
	}
}

func TestARequestMayTakeEffectWithoutItsTransactionBeingRemembered(t *testing.T) {
	hs := homeserver.Start(t, homeserver.Options{})
	alice := hs.User("alice")
	room := must(alice.CreateRoom(homeserver.RoomOptions{}))(t)
	cli := client(t, hs, alice.ID, alice.Token(), false)
	hs.Inject(&homeserver.Fault{Match: homeserver.To("send"), Unremembered: true, Times: 1})
	for range 3 { // the first is not known by its ID, and the third is
		_, err := cli.SendMessageEvent(deadline(t), room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: "hello"},
			mautrix.ReqSendEvent{TransactionID: "same"})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(alice.Messages(room)); n != 2 {
		t.Errorf("the room shows %d messages", n)
	}
}
