package scenario_test

import (
	"context"
	"testing"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

func TestListsAskedForInAChatAreOfItsOwnAccount(t *testing.T) {
	s := scenario.Start(t, moreTokens())
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.UserTellsBot("login token")
	s.BotSays("Please enter your Access token")
	s.UserAnswersBot(zoesToken)
	s.BotSays("Successfully logged in as 4000@messenger.example")
	s.UserTellsBot("contacts")
	s.BotSays("1000@messenger.example:\n")
	s.UserTellsBot("requests")
	s.BotSays("1000@messenger.example:\n")
	asks := func(command string) string {
		t.Helper()
		room := s.Room("mary")
		from := len(s.Alice.Timeline(room))
		if _, err := s.Alice.SendText(room, "!messenger "+command); err != nil {
			t.Fatal(err)
		}
		var answer *homeserver.Event
		within(t, func(ctx context.Context) (err error) {
			answer, err = s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool { return ev.Index >= from && ev.Sender == s.Bot() })
			return err
		})
		return answer.Body()
	}
	if got, want := asks("contacts"), "John Doe — 3000@messenger.example — available\nMary — 2000@messenger.example — available"; got != want {
		t.Errorf("the contacts are\n%s\ninstead of\n%s", got, want)
	}
	if got, want := asks("requests"), "No contact request waits for an answer."; got != want {
		t.Errorf("the requests are\n%s\ninstead of\n%s", got, want)
	}
	if got, want := asks("contacts 4000@messenger.example"), "No contacts yet. Ask somebody with the command `!messenger start-chat` and their e-mail address."; got != want {
		t.Errorf("the contacts of the other account are\n%s\ninstead of\n%s", got, want)
	}
}
