package e2e

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/world"
	"matrix-messenger/messengerd"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// town is a world with a few people in it besides John and Mary, with John signed in and nobody but the
// bot's invites accepted by themselves.
type town struct {
	*world.World
	photo []byte // Mary's and Zoe's
	mary  id.UserID
	room  *matrix.Room // John's with Mary
}

// stepPatience is the safety net of one step.
const stepPatience = 40 * time.Second

func newTown(t *testing.T) (*town, context.Context) {
	t.Helper()
	where := &town{photo: portrait(t)}
	card := &messengerd.VCardConfig{PhotoData: where.photo, PhotoType: "image/png"}
	w, ctx := newWorld(t, world.Setup{
		Service: func(config *messengerd.Config) {
			for i := range config.Accounts {
				if config.Accounts[i].Email == "mary@contoso.com" {
					config.Accounts[i].VCard = card
				}
			}
			for _, name := range []string{"Zoe", "Yan", "Xenia", "Bob", "Vera"} {
				config.Accounts = append(config.Accounts, messengerd.AccountConfig{
					Email: strings.ToLower(name) + "@contoso.com", Name: name + " Contoso", Contact: true, VCard: card,
				})
			}
		},
		Client: []matrix.Option{matrix.WithInvitesFrom(func(inviter id.UserID) bool { return inviter == world.Bot })},
	})
	where.World = w
	signIn(t, ctx, w)
	must(t, w.Mary().SendMessage(world.UserMail, "hello from Mary"))
	var err error
	where.room, err = w.John.RoomWithTitle(ctx, "Mary Contoso")
	must(t, err)
	first, err := where.room.WaitMessage(ctx, "Mary's message", func(m matrix.Message) bool { return m.Body == "hello from Mary" })
	must(t, err)
	where.mary = first.Sender
	return where, ctx
}

// portrait is a small PNG.
func portrait(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	img.Set(3, 3, color.RGBA{200, 80, 20, 255})
	var buf bytes.Buffer
	must(t, png.Encode(&buf, img))
	return buf.Bytes()
}

// at is somebody's account at the service.
func (w *town) at(name string) *messengerd.Account {
	return w.Service.Account(strings.ToLower(name) + "@contoso.com")
}

// ghost is the Matrix user that stands for somebody, as it is for Mary but for the address in it.
func (w *town) ghost(name string) id.UserID {
	local := func(a *messengerd.Account) string { before, _, _ := strings.Cut(a.JID(), "@"); return before }
	return id.UserID(strings.Replace(string(w.mary), local(w.Mary()), local(w.at(name)), 1))
}

// waitRoster waits until somebody's contact list has John with a subscription and nothing pending.
func (w *town) waitRoster(t *testing.T, ctx context.Context, name, subscription string) {
	t.Helper()
	account, john := w.at(name), w.Service.Account(world.UserMail).JID()
	must(t, account.Wait(ctx, func() bool {
		return slices.ContainsFunc(account.Contacts(), func(c messengerd.Contact) bool {
			return c.JID == john && c.Subscription == subscription && c.Ask == "" && !c.Invites
		})
	}))
}

// waitShown waits until contacts see John like this at the service.
func (w *town) waitShown(t *testing.T, ctx context.Context, show, status string) {
	t.Helper()
	john := w.Service.Account(world.UserMail)
	must(t, john.Wait(ctx, func() bool {
		return slices.ContainsFunc(john.Sessions(), func(s messengerd.SessionInfo) bool {
			return s.Online && s.Show == show && s.Status == status
		})
	}))
}

// hears sends a text to somebody in a room and waits until it is there.
func (w *town) hears(t *testing.T, ctx context.Context, name string, room *matrix.Room, text string) {
	t.Helper()
	before := len(w.at(name).Received())
	say(t, ctx, room, text)
	received, err := w.at(name).WaitReceived(ctx, before+1)
	must(t, err)
	if last := received[len(received)-1].Body; last != text {
		t.Errorf("%s got %q instead of %q", name, last, text)
	}
}

// notice waits for a sentence of the bridge in a room.
func notice(t *testing.T, ctx context.Context, room *matrix.Room, text string) {
	t.Helper()
	_, err := room.WaitMessage(ctx, text, func(m matrix.Message) bool { return m.Sender == world.Bot && strings.Contains(m.Body, text) })
	must(t, err)
}

// shows waits for a message of a sender.
func shows(t *testing.T, ctx context.Context, room *matrix.Room, sender id.UserID, text string) {
	t.Helper()
	_, err := room.WaitMessage(ctx, text, func(m matrix.Message) bool { return m.Sender == sender && m.Body == text })
	must(t, err)
}

func TestPeopleAsAMatrixUserMeetsThem(t *testing.T) {
	w, ctx := newTown(t)
	step := func(name string, do func(t *testing.T, ctx context.Context)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(ctx, stepPatience)
			defer cancel()
			do(t, ctx)
		})
	}
	command := func(t *testing.T, ctx context.Context, text, answer string) string {
		t.Helper()
		said, err := w.Command(ctx, text, answer)
		must(t, err)
		return said.Body
	}

	step("who asks is an invite from them to a direct room, and joining it accepts", func(t *testing.T, ctx context.Context) {
		w.at("zoe").Invite(world.UserMail, "Zoe from work", "Hi, it is me")
		invite, err := w.John.WaitInvite(ctx, "Zoe from work")
		must(t, err)
		if invite.Inviter != w.ghost("zoe") || invite.Name != "Zoe from work" || !invite.Direct {
			t.Errorf("the invite is %+v", invite)
		}
		must(t, w.at("zoe").SendMessage(world.UserMail, "are you there?")) // waits for the answer
		must(t, invite.Room.Join(ctx))
		w.waitRoster(t, ctx, "zoe", "both")
		notice(t, ctx, invite.Room, "Hi, it is me")
		shows(t, ctx, invite.Room, w.ghost("zoe"), "are you there?")
		w.hears(t, ctx, "zoe", invite.Room, "good to see you")
	})

	step("rejecting the invite declines, and they may ask again", func(t *testing.T, ctx context.Context) {
		w.at("yan").Invite(world.UserMail, "Yan", "")
		invite, err := w.John.WaitInvite(ctx, "Yan")
		must(t, err)
		must(t, invite.Room.Leave(ctx))
		w.waitRoster(t, ctx, "yan", "none")
		w.at("yan").Invite(world.UserMail, "Yan, again", "")
		again, err := w.John.WaitInvite(ctx, "Yan, again")
		must(t, err)
		if again.Room.ID() == invite.Room.ID() {
			t.Error("the invite is to the room that was rejected")
		}
		command(t, ctx, "decline "+w.at("yan").JID(), "declined the request of Yan, again")
		w.waitRoster(t, ctx, "yan", "none")
		must(t, again.Room.WaitGone(ctx))
	})

	step("requests are listed and accepted by command", func(t *testing.T, ctx context.Context) {
		w.at("xenia").Invite(world.UserMail, "Xenia", "please")
		invite, err := w.John.WaitInvite(ctx, "Xenia")
		must(t, err)
		answer := command(t, ctx, "requests", "Xenia")
		if want := "Xenia — " + w.at("xenia").JID() + " — wants to be your contact (“please”)"; answer != want {
			t.Errorf("the list is %q instead of %q", answer, want)
		}
		command(t, ctx, "accept xenia", "accepted the request of Xenia")
		w.waitRoster(t, ctx, "xenia", "both")
		must(t, invite.Room.Join(ctx))
		must(t, w.at("xenia").SendMessage(world.UserMail, "thank you"))
		shows(t, ctx, invite.Room, w.ghost("xenia"), "thank you")
		command(t, ctx, "requests", "No contact request waits")
	})

	step("somebody is found by e-mail address, asked, and the answer is told", func(t *testing.T, ctx context.Context) {
		command(t, ctx, "start-chat nobody@contoso.com", "Messenger knows nobody with the e-mail address nobody@contoso.com")
		command(t, ctx, "start-chat Bob@Contoso.com", "Created chat with")
		local, _, _ := strings.Cut(w.at("bob").JID(), "@")
		room, err := w.John.RoomWithTitle(ctx, local) // has no name yet
		must(t, err)
		notice(t, ctx, room, "Your request was sent to bob@contoso.com")
		command(t, ctx, "contacts", "bob@contoso.com — "+w.at("bob").JID()+" — invited")
		w.at("bob").Accept(world.UserMail)
		notice(t, ctx, room, "bob@contoso.com has accepted your request")
		must(t, room.WaitMember(ctx, w.ghost("bob"), "Bob Contoso"))
		_, err = w.John.RoomWithTitle(ctx, "Bob Contoso")
		must(t, err)
		w.hears(t, ctx, "bob", room, "so it is you")
		command(t, ctx, "contacts bob", "E-mail address: bob@contoso.com")
	})

	step("a ghost that is invited to a direct room is asked", func(t *testing.T, ctx context.Context) {
		room, err := w.John.DirectChat(ctx, w.ghost("vera"))
		must(t, err)
		notice(t, ctx, room, "Your request was sent to")
		w.at("vera").Accept(world.UserMail)
		notice(t, ctx, room, "has accepted your request")
		must(t, w.at("vera").SendMessage(world.UserMail, "found me"))
		shows(t, ctx, room, w.ghost("vera"), "found me")
		w.hears(t, ctx, "vera", room, "by your address")
	})

	step("a picture is the ghost's", func(t *testing.T, ctx context.Context) {
		address, err := w.room.WaitPicture(ctx, w.mary)
		must(t, err)
		where, err := address.Parse()
		must(t, err)
		answer, err := w.John.API().Download(ctx, where)
		must(t, err)
		defer func() { _ = answer.Body.Close() }()
		shown, err := io.ReadAll(answer.Body)
		must(t, err)
		if !bytes.Equal(shown, w.photo) {
			t.Errorf("the picture has %d bytes instead of the %d of the vCard's", len(shown), len(w.photo))
		}
	})

	step("presence is shown with the personal message, and without one that is gone", func(t *testing.T, ctx context.Context) {
		for _, step := range []struct {
			state, text string
			want        event.Presence
			shown       string
		}{
			{"away", "at lunch", event.PresenceUnavailable, "at lunch"},
			{"busy", "in a call", event.PresenceUnavailable, "Busy: in a call"},
			{"offline", "", event.PresenceOffline, ""},
			{"available", "back", event.PresenceOnline, "back"},
			{"available", "", event.PresenceOnline, ""},
		} {
			must(t, w.Mary().SetPresence(step.state, step.text))
			must(t, w.John.WaitPresence(ctx, w.mary, step.want, step.shown))
		}
		answer, err := w.John.API().GetPresence(ctx, w.mary)
		must(t, err)
		if answer.Presence != event.PresenceOnline || answer.StatusMsg != "" {
			t.Errorf("asked for, her presence is %+v", answer)
		}
	})

	step("contacts are listed with name, address and state", func(t *testing.T, ctx context.Context) {
		must(t, w.Mary().SetPresence("busy", ""))
		must(t, w.John.WaitPresence(ctx, w.mary, event.PresenceUnavailable, "Busy"))
		var want []string
		for _, contact := range w.Service.Account(world.UserMail).Contacts() {
			if contact.Subscription == "both" {
				state := "available"
				if contact.JID == w.Mary().JID() {
					state = "busy"
				}
				want = append(want, contact.Name+" — "+contact.JID+" — "+state)
			}
		}
		slices.Sort(want)
		if got := command(t, ctx, "contacts", "Mary"); got != strings.Join(want, "\n") {
			t.Errorf("the list is\n%s\ninstead of\n%s", got, strings.Join(want, "\n"))
		}
	})

	step("the user's presence is what Matrix says, or what was chosen", func(t *testing.T, ctx context.Context) {
		must(t, w.PushPresence(ctx, w.John.UserID(), event.PresenceUnavailable, "having tea"))
		w.waitShown(t, ctx, "away", "having tea")
		command(t, ctx, "presence busy in a meeting", "see you as busy, with the message “in a meeting”")
		w.waitShown(t, ctx, "dnd", "in a meeting")
		command(t, ctx, "presence auto", "This follows your Matrix presence")
		w.waitShown(t, ctx, "away", "having tea")
		must(t, w.PushPresence(ctx, w.John.UserID(), event.PresenceOnline, ""))
		w.waitShown(t, ctx, "", "")
	})

	step("typing goes both ways, once the contact's program is known to send it", func(t *testing.T, ctx context.Context) {
		mary := w.Mary()
		must(t, w.PushTyping(ctx, w.room.ID(), w.John.UserID()))
		must(t, w.PushTyping(ctx, w.room.ID()))
		w.hears(t, ctx, "mary", w.room, "I was typing this")
		if state := mary.Typing(world.UserMail); state == "composing" || state == "paused" {
			t.Errorf("Mary was told %q although her program never sent such", state)
		}
		must(t, mary.SetTyping(world.UserMail, "composing"))
		must(t, w.room.WaitTyping(ctx, w.mary, true))
		must(t, mary.SetTyping(world.UserMail, "paused"))
		must(t, w.room.WaitTyping(ctx, w.mary, false))
		must(t, w.PushTyping(ctx, w.room.ID(), w.John.UserID()))
		must(t, mary.Wait(ctx, func() bool { return mary.Typing(world.UserMail) == "composing" }))
		must(t, w.PushTyping(ctx, w.room.ID()))
		must(t, mary.Wait(ctx, func() bool { return mary.Typing(world.UserMail) == "paused" }))
	})

	step("a rename at the service renames the ghost and the room", func(t *testing.T, ctx context.Context) {
		w.Service.Account(world.UserMail).Rename("mary@contoso.com", "Mary Smith")
		must(t, w.room.WaitMember(ctx, w.mary, "Mary Smith"))
		_, err := w.John.RoomWithTitle(ctx, "Mary Smith")
		must(t, err)
	})
}
