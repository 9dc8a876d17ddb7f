package homeserver_test

import (
	"context"
	"fmt"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
)

// BenchmarkSends is how fast the double answers sends over HTTP: it has to be much faster than the bridge it measures.
func BenchmarkSends(b *testing.B) {
	hs := homeserver.Start(b, homeserver.Options{RecordNoBodies: true})
	alice := hs.User("alice")
	room, err := alice.CreateRoom(homeserver.RoomOptions{})
	if err != nil {
		b.Fatal(err)
	}
	cli, err := mautrix.NewClient(hs.URL(), alice.ID, alice.Token())
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	for i := 0; b.Loop(); i++ {
		content := &event.MessageEventContent{MsgType: event.MsgText, Body: fmt.Sprintf("message %d", i)}
		if _, err = cli.SendMessageEvent(ctx, room, event.EventMessage, content); err != nil {
			b.Fatal(err)
		}
	}
}
