package e2e

import (
	"maps"
	"slices"
	"testing"
	"time"

	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/world"
	"matrix-messenger/messengerd"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
)

// onSynapse skips a test of what Dendrite does not do.
func onSynapse(t *testing.T) {
	t.Helper()
	if !world.OnSynapse() {
		t.Skip("needs Synapse: make synapse-test")
	}
}

func TestTypingPresenceAndDeletionsReachTheServiceFromSynapse(t *testing.T) {
	onSynapse(t)
	w, ctx := newWorld(t, world.Setup{Client: []matrix.Option{matrix.WithPresenceLeftAlone()}})
	room, _ := chatWithMary(t, ctx, w)
	mary, john := w.Mary(), w.John.API()

	must(t, mary.SetTyping(world.UserMail, "composing")) // from now on her program is known to understand it
	said, err := room.Say(ctx, "I was typing this")
	must(t, err)
	_, err = mary.WaitReceived(ctx, 1)
	must(t, err)
	_, err = john.UserTyping(ctx, room.ID(), true, time.Minute)
	must(t, err)
	must(t, mary.Wait(ctx, func() bool { return mary.Typing(world.UserMail) == "composing" }))
	_, err = john.UserTyping(ctx, room.ID(), false, 0)
	must(t, err)
	must(t, mary.Wait(ctx, func() bool { return mary.Typing(world.UserMail) == "paused" }))

	_, err = john.RedactEvent(ctx, room.ID(), said)
	must(t, err)
	received, err := mary.WaitReceived(ctx, 2)
	must(t, err)
	if note := received[1].Body; note != "(deleted a message)" {
		t.Errorf("the deletion was told as %q", note)
	}

	must(t, john.SetPresence(ctx, mautrix.ReqPresence{Presence: event.PresenceUnavailable, StatusMsg: "having tea"}))
	who := w.Service.Account(world.UserMail)
	must(t, who.Wait(ctx, func() bool {
		return slices.ContainsFunc(who.Sessions(), func(s messengerd.SessionInfo) bool { return s.Online && s.Show == "away" && s.Status == "having tea" })
	}))
}

func TestEncryptionInTheWaysThatSynapseHas(t *testing.T) {
	onSynapse(t)
	for name, settings := range map[string]map[string]any{
		"a device made by the appservice":     {"encryption.msc4190": true},
		"keys and messages with transactions": {"encryption.msc4190": true, "encryption.appservice": true},
	} {
		t.Run(name, func(t *testing.T) {
			all := maps.Clone(encrypted)
			maps.Copy(all, settings)
			w, ctx := newWorld(t, world.Setup{Bridge: all})
			phone, err := matrix.LoginEncrypted(ctx, w.Home.URL(), world.User, world.Password)
			must(t, err)
			t.Cleanup(phone.Close)
			signIn(t, ctx, w)
			must(t, w.Mary().SendMessage(world.UserMail, "for your eyes only"))
			room, err := w.John.RoomWithTitle(ctx, "Mary Contoso")
			must(t, err)
			_, err = phone.WaitText(ctx, room, "for your eyes only")
			must(t, err)
			for i, text := range []string{"nobody else reads this", "nor this after a restart"} {
				_, err = phone.Say(ctx, room.ID(), text)
				must(t, err)
				received, err := w.Mary().WaitReceived(ctx, i+1)
				must(t, err)
				if received[i].Body != text {
					t.Errorf("Mary got %q instead of %q", received[i].Body, text)
				}
				if i == 0 {
					must(t, w.Bridge.Stop())
					must(t, w.Bridge.Start(ctx))
				}
			}
			for _, evt := range room.Events() {
				if evt.Type == event.EventMessage {
					t.Errorf("%s sent unencrypted: %q", evt.Sender, evt.Content.AsMessage().Body)
				}
			}
		})
	}
}
