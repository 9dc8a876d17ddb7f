package scenario_test

import (
	"context"
	"testing"
	"time"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

const brokenBody = `{"errcode":"M_UNKNOWN","error":"something is broken"}`

func TestAChatWhoseRoomCannotBeDeletedGoesOn(t *testing.T) {
	for _, endpoint := range []string{"kick", "leave"} {
		t.Run(endpoint, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{})
			s.LoginWithToken()
			s.ServiceSends("mary", "hello")
			s.RoomShows("mary", "hello")
			room := s.Room("mary")
			broken := s.HS.Fail(homeserver.To(endpoint), 500, brokenBody, 0)
			if _, err := s.Alice.SendText(room, "!messenger delete-chat"); err != nil {
				t.Fatal(err)
			}
			s.FormerRoomTells(room, "could not be deleted at the moment")
			if _, err := s.Alice.SendText(room, "still connected?"); err != nil {
				t.Fatal(err)
			}
			s.ContactReceives("mary", "still connected?")
			broken.Remove()
			if _, err := s.Alice.SendText(room, "!messenger delete-chat"); err != nil {
				t.Fatal(err)
			}
			isGone(t, s, room, s.Alice.ID)
			s.ServiceSends("mary", "me again")
			shows(t, s, newRoomWith(t, s, "mary", room), "mary", "me again")
		})
	}
}

func TestARoomThatCannotBeLeftDoesNotKeepTheOthersFromBeingForgotten(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	for _, name := range []string{"john", "mary"} {
		s.ServiceSends(name, "hello from "+name)
		s.RoomShows(name, "hello from "+name)
	}
	stuck, free := s.Room("john"), s.Room("mary")
	broken := s.HS.Fail(func(r homeserver.Request) bool {
		return r.Endpoint == "leave" && r.UserID == s.Bot() && r.RoomID == stuck
	}, 500, brokenBody, 0)
	s.UserTellsBot("logout 1000@messenger.example")
	s.BotSays("Logged out")
	left := map[string]bool{"messenger_matrix_inbox": true, "messenger_left": true, "mx_user_profile": true, "mx_room_state": true}
	awaitNoTraces(t, s, left, free.String())
	within(t, func(ctx context.Context) error { return broken.WaitHits(ctx, 2) })
	if len(traces(s, stuck.String())) == 0 {
		t.Error("the room that the bot is still in was forgotten")
	}
	broken.Remove()
	awaitNoTraces(t, s, left, stuck.String())
}

func TestAChatIsKeptWhenItsUserSignsInAgainWhileItIsBeingForgotten(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	first := s.RoomShows("mary", "hello")
	old := s.Room("mary")
	// Signing in waits for what is under way, so this is refused again and again instead of being held.
	leaving := s.HS.Fail(func(r homeserver.Request) bool {
		return r.Endpoint == "leave" && r.UserID == s.Bot() && r.RoomID == old
	}, 500, brokenBody, 0)
	s.UserTellsBot("logout 1000@messenger.example")
	s.BotSays("Logged out")
	within(t, func(ctx context.Context) error { return leaving.WaitHits(ctx, 2) })
	s.LoginWithToken()
	leaving.Remove()
	s.ServiceSends("mary", "welcome back")
	shows(t, s, old, "mary", "welcome back")
	if len(traces(s, first.ID.String())) == 0 {
		t.Error("what was said before is forgotten")
	}
}

func TestNobodySignsInWhileAChatOfTheirsIsBeingForgotten(t *testing.T) {
	binds := &heard{text: "urn:ietf:params:xml:ns:xmpp-bind", fromClient: true}
	s := scenario.Start(t, scenario.Options{Trace: binds.trace})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	old, before := s.Room("mary"), binds.times()
	leaving := s.HS.Block(func(r homeserver.Request) bool {
		return r.Endpoint == "leave" && r.UserID == s.Bot() && r.RoomID == old
	})
	s.UserTellsBot("logout 1000@messenger.example")
	s.BotSays("Logged out")
	within(t, func(ctx context.Context) error { return leaving.WaitHits(ctx, 1) })
	signedIn := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
		defer cancel()
		signedIn <- s.SignInWithToken(ctx)
	}()
	binds.reaches(t, before+1) // whose token it is, is known
	select {
	case err := <-signedIn:
		t.Fatalf("somebody signs in whose chat is half forgotten (%v)", err)
	case <-time.After(time.Second): // there is nothing to see of it that it waits
	}
	leaving.Remove()
	if err := <-signedIn; err != nil {
		t.Fatal(err)
	}
	s.SessionIsUp()
	s.ServiceSends("mary", "welcome back")
	shows(t, s, newRoomWith(t, s, "mary", old), "mary", "welcome back")
}
