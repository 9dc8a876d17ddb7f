package e2e

import (
	"testing"

	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/world"
	"matrix-messenger/messengerd"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// encrypted are the bridge's settings for end-to-bridge encryption on a homeserver that does not push keys to it.
var encrypted = map[string]any{
	"encryption.allow":      true,
	"encryption.default":    true,
	"encryption.appservice": false,
	"encryption.self_sign":  true,
	"encryption.pickle_key": "a pickle key of this test",
}

func TestAConversationInAnEncryptedRoom(t *testing.T) {
	w, ctx := newWorld(t, world.Setup{Bridge: encrypted, Service: func(config *messengerd.Config) {
		config.Accounts = append(config.Accounts, messengerd.AccountConfig{Email: "zoe@contoso.com", Name: "Zoe Contoso", Contact: true})
	}})
	phone, err := matrix.LoginEncrypted(ctx, w.Home.URL(), world.User, world.Password)
	must(t, err)
	t.Cleanup(phone.Close)
	signIn(t, ctx, w)

	must(t, w.Mary().SendMessage(world.UserMail, "for your eyes only"))
	room, err := w.John.RoomWithTitle(ctx, "Mary Contoso")
	must(t, err)
	mary, err := phone.WaitText(ctx, room, "for your eyes only")
	must(t, err)
	if name := room.MemberName(mary); name != "Mary Contoso" {
		t.Errorf("the message is from %s", name)
	}
	trust, err := phone.Trust(ctx, world.Bot)
	must(t, err)
	if trust < id.TrustStateCrossSignedUntrusted {
		t.Errorf("the bridge's device is only %s: it has not signed itself", trust)
	}

	texts := []string{"nobody else reads this", "nor this"}
	for _, text := range texts {
		_, err = phone.Say(ctx, room.ID(), text)
		must(t, err)
	}
	received, err := w.Mary().WaitReceived(ctx, len(texts))
	must(t, err)
	for i, text := range texts {
		if received[i].Body != text {
			t.Errorf("Mary got %q instead of %q", received[i].Body, text)
		}
	}

	// Nothing that was said is readable on the homeserver.
	for _, evt := range room.Events() {
		if evt.Type == event.EventMessage {
			t.Errorf("%s sent unencrypted: %q", evt.Sender, evt.Content.AsMessage().Body)
		}
	}

	t.Run("the room of a contact request is encrypted too", func(t *testing.T) {
		zoe := w.Service.Account("zoe@contoso.com")
		zoe.Invite(world.UserMail, "Zoe Contoso", "")
		room, err := w.John.RoomWithTitle(ctx, "Zoe Contoso")
		must(t, err)
		_, err = phone.Say(ctx, room.ID(), "hello Zoe")
		must(t, err)
		received, err := zoe.WaitReceived(ctx, 1)
		must(t, err)
		if received[0].Body != "hello Zoe" {
			t.Errorf("Zoe got %q", received[0].Body)
		}
		must(t, zoe.SendMessage(world.UserMail, "hello John"))
		_, err = phone.WaitText(ctx, room, "hello John")
		must(t, err)
	})

	t.Run("it goes on after a restart of the bridge", func(t *testing.T) {
		must(t, w.Bridge.Stop())
		must(t, w.Bridge.Start(ctx))
		must(t, w.Mary().SendMessage(world.UserMail, "still secret"))
		_, err := phone.WaitText(ctx, room, "still secret")
		must(t, err)
		_, err = phone.Say(ctx, room.ID(), "and still private")
		must(t, err)
		received, err := w.Mary().WaitReceived(ctx, 3)
		must(t, err)
		if received[2].Body != "and still private" {
			t.Errorf("Mary got %q", received[2].Body)
		}
	})
}
