package prosody

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"matrix-messenger/e2e/bridge"
	"matrix-messenger/e2e/dendrite"
	"matrix-messenger/e2e/homeserver"
	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/process"
	"matrix-messenger/e2e/world"

	"maunium.net/go/mautrix/id"
)

// buildPatience covers the first compilation of a homeserver.
const buildPatience = 20 * time.Minute

// stepPatience is the safety net of one step.
const stepPatience = time.Minute

// newWorld is a homeserver and a running bridge on top of Prosody, with nobody signed in at the bridge.
func newWorld(t *testing.T, server *Server) *world.World {
	t.Helper()
	ctx := limit(t, buildPatience)
	programs, err := dendrite.Build(ctx, nil)
	must(t, err)
	program, err := bridge.Build(ctx, "matrix-messenger", nil)
	must(t, err)
	homeAddress, err := process.FreeAddress()
	must(t, err)
	bridgeAddress, err := process.FreeAddress()
	must(t, err)

	w := new(world.World)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.Report())
		}
		must(t, w.Close())
	})
	dir := t.TempDir()
	w.Bridge, err = bridge.New(ctx, program, bridge.Options{
		Dir: filepath.Join(dir, "bridge"), Homeserver: "http://" + homeAddress, ServerName: world.ServerName, Admin: world.User,
		Address: bridgeAddress, Service: server.Address(), Domain: domain, CAFile: server.CAFile(),
	})
	must(t, err)
	w.Home, err = dendrite.New(ctx, programs, homeserver.Options{
		Name: world.ServerName, Dir: filepath.Join(dir, "dendrite"), Address: homeAddress,
		Registrations: []string{w.Bridge.RegistrationFile()},
	})
	must(t, err)
	must(t, w.Home.Start(ctx))
	must(t, w.Home.CreateUser(ctx, world.User, world.Password, "John"))
	w.John, err = matrix.Login(ctx, w.Home.URL(), world.User, world.Password)
	must(t, err)
	must(t, w.Bridge.Start(ctx))
	return w
}

// chat is a room of John's and the contact at its other end.
type chat struct {
	room    *matrix.Room
	ghost   id.UserID
	contact *Contact
	john    string // his bare JID
}

// expectExchange sends the texts both ways at once; both sides must get them in order, and nothing else.
func (c *chat) expectExchange(t *testing.T, ctx context.Context, texts ...string) {
	t.Helper()
	shown, heard := c.shown(), c.contact.heard()
	sent := make(chan error, 1)
	go func() {
		for _, text := range texts {
			if err := c.contact.Say(c.john, text); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for _, text := range texts {
		c.say(t, ctx, text)
	}
	must(t, <-sent)
	received, err := c.contact.WaitReceived(ctx, heard+len(texts))
	must(t, err)
	if got := received[heard:]; !slices.Equal(got, texts) {
		t.Errorf("the contact got %q", got)
	}
	bodies, err := c.room.WaitMessagesFrom(ctx, c.ghost, shown+len(texts))
	must(t, err)
	if got := bodies[shown:]; !slices.Equal(got, texts) {
		t.Errorf("the room shows %q", got)
	}
}

func (c *chat) say(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	_, err := c.room.Say(ctx, text)
	must(t, err)
}

// shown is how many messages of the contact the room shows.
func (c *chat) shown() int {
	count := 0
	for _, message := range c.room.Messages() {
		if message.Sender == c.ghost {
			count++
		}
	}
	return count
}

// chatWith waits for the room that has this message of the person called name.
func chatWith(t *testing.T, ctx context.Context, w *world.World, name, body string) *chat {
	t.Helper()
	room, err := w.John.RoomWithTitle(ctx, name)
	must(t, err)
	message, err := room.WaitMessage(ctx, "the message "+body, func(m matrix.Message) bool { return m.Body == body })
	must(t, err)
	if message.Name != name {
		t.Errorf("the message's sender is called %q", message.Name)
	}
	return &chat{room: room, ghost: message.Sender}
}

func TestTheBridgeHoldsItsConversationThroughProsody(t *testing.T) {
	john, mary, bob := people()
	server := newServer(t, john, mary, bob)
	w := newWorld(t, server)
	ctx := limit(t, stepPatience)
	johnsJID := john.User + "@" + domain

	// Written while John has never been there: Prosody has it in its archive and among the offline messages.
	atMary := signedIn(t, ctx, server, mary)
	before := []string{"before the bridge", "before the bridge, again"}
	for _, text := range before {
		must(t, atMary.Say(johnsJID, text))
	}

	must(t, w.AskForToken(ctx))
	_, err := w.Command(ctx, john.Token, "logged in")
	must(t, err)
	if w.Bridge.Logged(john.Token) {
		t.Error("the token is in the bridge's log")
	}
	withMary := chatWith(t, ctx, w, mary.Name, before[1])
	withMary.contact, withMary.john = atMary, johnsJID

	top := t // a contact stays signed in for the steps that follow
	// Each step needs what the one before it made.
	step := func(name string, do func(t *testing.T, ctx context.Context)) {
		t.Helper()
		if !t.Run(name, func(t *testing.T) { do(t, limit(t, stepPatience)) }) {
			t.FailNow()
		}
	}

	step("a message and its answer", func(t *testing.T, ctx context.Context) {
		must(t, atMary.Say(johnsJID, "Hello John, are you there?"))
		bodies, err := withMary.room.WaitMessagesFrom(ctx, withMary.ghost, len(before)+1)
		must(t, err)
		if want := append(before, "Hello John, are you there?"); !slices.Equal(bodies, want) {
			t.Errorf("the room shows %q, want %q", bodies, want)
		}
		withMary.say(t, ctx, "Yes, here I am")
		received, err := atMary.WaitReceived(ctx, 1)
		must(t, err)
		if received[0] != "Yes, here I am" {
			t.Errorf("Mary got %q", received[0])
		}
	})

	step("difficult texts survive both ways", func(t *testing.T, ctx context.Context) {
		withMary.expectExchange(t, ctx, "Grüße 😀👩‍👩‍👧‍👦", "first line\nsecond line", `<b>not bold</b> & "quoted" 'single' ]]> &amp;`, "two  spaces")
	})

	step("many messages each way keep their order", func(t *testing.T, ctx context.Context) {
		var texts []string
		for i := range 40 {
			texts = append(texts, fmt.Sprintf("number %d", i))
		}
		withMary.expectExchange(t, ctx, texts...)
	})

	step("somebody new is found by an e-mail address and becomes a contact", func(t *testing.T, ctx context.Context) {
		atBob := signedIn(t, ctx, server, bob)
		_, err := w.Command(ctx, "start-chat nobody@contoso.com", "knows nobody")
		must(t, err)
		_, err = w.Command(ctx, "start-chat "+bob.Email, "created chat")
		must(t, err)
		invite, err := atBob.WaitInvite(ctx)
		must(t, err)
		if invite.From != johnsJID || invite.Nick == "" {
			t.Errorf("Bob is invited by %+v", invite)
		}
		must(t, atBob.Say(johnsJID, "so you found me"))
		withBob := chatWith(t, ctx, w, bob.Name, "so you found me")
		withBob.contact, withBob.john = atBob, johnsJID
		withBob.expectExchange(t, ctx, "nice to meet you")
	})

	step("a restart of Prosody loses nothing and repeats nothing", func(t *testing.T, ctx context.Context) {
		must(t, server.Stop())
		withMary.say(t, ctx, "written while Messenger was away")
		must(t, server.Start(ctx))
		withMary.contact = signedIn(top, ctx, server, mary)
		received, err := withMary.contact.WaitReceived(ctx, 1)
		must(t, err)
		if !slices.Equal(received, []string{"written while Messenger was away"}) {
			t.Errorf("Mary got %q", received)
		}
		withMary.expectExchange(t, ctx, "back again", "all is well")
	})

	step("what was written while the bridge was down comes once", func(t *testing.T, ctx context.Context) {
		must(t, w.Bridge.Stop())
		shown := withMary.shown()
		must(t, withMary.contact.Say(johnsJID, "written while the bridge was down"))
		must(t, w.Bridge.Start(ctx))
		bodies, err := withMary.room.WaitMessagesFrom(ctx, withMary.ghost, shown+1)
		must(t, err)
		if got := bodies[shown:]; !slices.Equal(got, []string{"written while the bridge was down"}) {
			t.Errorf("the room shows %q", got)
		}
		withMary.expectExchange(t, ctx, "one more", "and the last")
	})

	step("what went through another program of John's is read from the archive", func(t *testing.T, ctx context.Context) {
		must(t, w.Bridge.Stop())
		before := len(withMary.room.Messages())
		heard := withMary.contact.heard()
		elsewhere := signedIn(t, ctx, server, john)
		must(t, elsewhere.Say(mary.User+"@"+domain, "written elsewhere"))
		_, err := withMary.contact.WaitReceived(ctx, heard+1)
		must(t, err)
		must(t, withMary.contact.Say(johnsJID, "answered there"))
		_, err = elsewhere.WaitReceived(ctx, 1)
		must(t, err)
		elsewhere.Close()
		must(t, w.Bridge.Start(ctx))
		var shown []matrix.Message
		err = withMary.room.WaitMessages(ctx, "what was said elsewhere", func(messages []matrix.Message) bool {
			shown = messages[before:]
			return len(shown) >= 2
		})
		must(t, err)
		if shown[0].Body != "written elsewhere" || shown[0].Sender == withMary.ghost || shown[1].Body != "answered there" || shown[1].Sender != withMary.ghost {
			t.Errorf("the room shows %+v", shown)
		}
		withMary.expectExchange(t, ctx, "here again")
	})

	if !server.Logged("redirecting to " + server.Gateway()) {
		t.Error("Prosody has not redirected the bridge")
	}
	if !server.Logged("2 archived messages of " + mary.User) {
		t.Error("the bridge has not read the archive")
	}
}
