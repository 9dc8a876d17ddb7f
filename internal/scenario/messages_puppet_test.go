package scenario_test

import (
	"context"
	"testing"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

// userWroteElsewhere lets the user write to Mary in another Messenger program, asks for the history, and returns who wrote it in the room.
func userWroteElsewhere(t *testing.T, s *scenario.Scenario, text string) id.UserID {
	t.Helper()
	if err := s.User().SendMessage(s.Contact("mary").JID(), text); err != nil {
		t.Fatal(err)
	}
	s.ContactReceives("mary", text)
	room := s.Room("mary")
	if _, err := s.Alice.SendText(room, "!messenger history"); err != nil {
		t.Fatal(err)
	}
	var found *homeserver.Event
	within(t, func(ctx context.Context) (err error) {
		found, err = s.Alice.WaitText(ctx, room, text)
		return err
	})
	return found.Sender
}

func TestWhatTheUserWroteElsewhereAppearsAsTheUserOnceTheBridgeMaySpeakForThem(t *testing.T) {
	s := scenario.Start(t, scenario.Options{NoDoublePuppet: true})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	own := id.NewUserID("messenger_"+id.EncodeUserLocalpart(s.User().JID()), s.HS.Domain())
	if sender := userWroteElsewhere(t, s, "from my old computer"); sender != own {
		t.Errorf("without a double puppet the message is of %s", sender)
	}
	says(t, s, s.Room("mary"), "login-matrix "+s.Alice.Token(), "Successfully switched puppets")
	if sender := userWroteElsewhere(t, s, "from my old telephone"); sender != s.Alice.ID {
		t.Errorf("with a double puppet the message is of %s", sender)
	}
	says(t, s, s.Room("mary"), "logout-matrix", "Successfully disabled double puppeting")
	s.NothingElseWasSaid() // in particular, Mary got nothing twice
}

func TestWhatADoublePuppetShowsIsNotSentBack(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	if sender := userWroteElsewhere(t, s, "from elsewhere"); sender != s.Alice.ID {
		t.Errorf("the message is of %s", sender)
	}
	s.NothingElseWasSaid()
}
