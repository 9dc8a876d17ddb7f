package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/world"

	"maunium.net/go/mautrix/id"
)

// difficult are texts that a careless writer of XML, JSON or HTML breaks.
var difficult = []string{
	"Grüße aus Köln, Ærøskøbing und Đà Nẵng",
	"😀👩‍👩‍👧‍👦🇩🇪 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
	"first line\nsecond line\n\nfourth line",
	`<b>not bold</b> & "quoted" 'single' ]]> &amp; <!-- -->`,
	"tabs\tand  two  spaces",
	"شكرا لك \u200f(עברית)",
}

func TestAConversationBetweenAMatrixUserAndAMessengerContact(t *testing.T) {
	w, ctx := newWorld(t, world.Setup{})
	signIn(t, ctx, w)

	must(t, w.Mary().SendMessage(world.UserMail, "Hello John, are you there?"))
	room, err := w.John.RoomWithTitle(ctx, "Mary Contoso")
	must(t, err)
	first, err := room.WaitMessage(ctx, "Mary's message", func(m matrix.Message) bool { return m.Body == "Hello John, are you there?" })
	must(t, err)
	if first.Name != "Mary Contoso" {
		t.Errorf("the message's sender is called %q", first.Name)
	}
	mary := first.Sender

	say(t, ctx, room, "Yes, here I am")
	received, err := w.Mary().WaitReceived(ctx, 1)
	must(t, err)
	if received[0].Body != "Yes, here I am" {
		t.Errorf("Mary got %q", received[0].Body)
	}

	t.Run("difficult texts survive both ways", func(t *testing.T) {
		got := exchange(t, ctx, w, room, mary, difficult)
		if !slices.Equal(got.atMary, difficult) {
			t.Errorf("Mary got %q", got.atMary)
		}
		if !slices.Equal(got.inRoom, difficult) {
			t.Errorf("the room shows %q", got.inRoom)
		}
	})

	t.Run("a hundred messages each way keep their order", func(t *testing.T) {
		var texts []string
		for i := range 100 {
			texts = append(texts, fmt.Sprintf("number %d", i))
		}
		got := exchange(t, ctx, w, room, mary, texts)
		if !slices.Equal(got.atMary, texts) {
			t.Errorf("Mary got %q", got.atMary)
		}
		if !slices.Equal(got.inRoom, texts) {
			t.Errorf("the room shows %q", got.inRoom)
		}
	})

	t.Run("it goes on after a restart of the bridge", func(t *testing.T) {
		must(t, w.Bridge.Stop())
		must(t, w.Bridge.Start(ctx))
		texts := []string{"after the restart", "and once more"}
		got := exchange(t, ctx, w, room, mary, texts)
		if !slices.Equal(got.atMary, texts) || !slices.Equal(got.inRoom, texts) {
			t.Errorf("Mary got %q, the room shows %q", got.atMary, got.inRoom)
		}
	})
}

// exchanged is what arrived of an exchange.
type exchanged struct{ atMary, inRoom []string }

// exchange sends the texts both ways at once and returns what is new on both sides.
func exchange(t *testing.T, ctx context.Context, w *world.World, room *matrix.Room, mary id.UserID, texts []string) exchanged {
	t.Helper()
	heard := len(w.Mary().Received())
	shown := len(bodiesOf(room, mary))
	sent := make(chan error, 1)
	go func() {
		for _, text := range texts {
			if err := w.Mary().SendMessage(world.UserMail, text); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for _, text := range texts {
		say(t, ctx, room, text)
	}
	must(t, <-sent)
	received, err := w.Mary().WaitReceived(ctx, heard+len(texts))
	must(t, err)
	bodies, err := room.WaitMessagesFrom(ctx, mary, shown+len(texts))
	must(t, err)
	var result exchanged
	for _, message := range received[heard:] {
		result.atMary = append(result.atMary, message.Body)
	}
	result.inRoom = bodies[shown:]
	return result
}

func say(t *testing.T, ctx context.Context, room *matrix.Room, text string) {
	t.Helper()
	_, err := room.Say(ctx, text)
	must(t, err)
}

func bodiesOf(room *matrix.Room, sender id.UserID) []string {
	var bodies []string
	for _, message := range room.Messages() {
		if message.Sender == sender {
			bodies = append(bodies, message.Body)
		}
	}
	return bodies
}
