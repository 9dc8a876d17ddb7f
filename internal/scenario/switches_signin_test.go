package scenario_test

import (
	"context"
	"testing"
	"time"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// signedInForSeconds is a bridge whose user has signed in at the pages and whose access tokens end soon, and their sessions with them.
func signedInForSeconds(t *testing.T, change func(*messengerd.Switches)) *scenario.Scenario {
	t.Helper()
	options, _ := oauthOptions(t, "")
	s := scenario.Start(t, options)
	s.Switch(func(sw *messengerd.Switches) {
		sw.TokenLife.Life, sw.TokenLife.Stream = 3*time.Second, "cut"
		change(sw)
	})
	s.UserTellsBot("login oauth")
	s.UserAnswersBot(s.UserVisits(s.AuthorizeLink(), false))
	s.BotSays("Successfully logged in as")
	s.UserStartsChat("mary")
	return s
}

func TestATokenAddressThatFailsForAWhileLosesNothing(t *testing.T) {
	s := signedInForSeconds(t, func(*messengerd.Switches) {})
	for _, fault := range []string{"status_429", "status_500", "not_json", "get_only"} {
		t.Log(fault)
		s.Switch(func(sw *messengerd.Switches) { sw.TokenAddress = fault })
		s.SessionHasEnded()
		s.UserSends("mary", "a word despite "+fault)
		s.ServiceSends("mary", "a word from behind "+fault)
		s.Switch(func(sw *messengerd.Switches) { sw.TokenAddress = "works" })
		s.UserTellsBot("reconnect")
		s.ContactReceives("mary", "a word despite "+fault)
		s.RoomShows("mary", "a word from behind "+fault)
	}
	s.NothingElseWasSaid()
}

func TestWithoutAGoodRefreshTokenTheUserIsAskedToSignInAgain(t *testing.T) {
	for _, refresh := range []string{"expired", "not_issued"} {
		t.Run(refresh, func(t *testing.T) {
			s := signedInForSeconds(t, func(sw *messengerd.Switches) { sw.RefreshToken = refresh })
			s.BotSays("sign in again with the `login` command")
			s.UserSends("mary", "while signed out")
			s.Switch(func(sw *messengerd.Switches) { sw.TokenLife.Life, sw.RefreshToken = time.Hour, "replaced" })
			s.UserTellsBot("login oauth")
			s.UserAnswersBot(s.UserVisits(s.AuthorizeLink(), false))
			s.BotSays("Successfully logged in as")
			s.ContactReceives("mary", "while signed out")
			s.NothingElseWasSaid()
		})
	}
}

func TestAServiceThatCutsIdleConnectionsLosesNothing(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.Switch(func(sw *messengerd.Switches) { sw.IdleCut = time.Second })
	s.SessionHasEnded()
	s.UserSends("mary", "are you there?")
	s.ServiceSends("mary", "are you?")
	s.ContactReceives("mary", "are you there?")
	s.RoomShows("mary", "are you?")
	s.NothingElseWasSaid()
}

func TestAddressesMayHaveAnyForm(t *testing.T) {
	for _, form := range []string{"hex16", "decimal", "mixed_case"} {
		t.Run(form, func(t *testing.T) {
			const lara = "lara@contoso.example"
			s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) {
				cfg.Switches.Localpart = form
				cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{Email: lara, Name: "Lara", Contact: true})
			}})
			s.LoginWithToken()
			s.UserTellsBot("start-chat " + lara)
			s.BotSays("Created chat with")
			account := s.Service.Account(lara)
			contactOfUser(t, s, account.JID(), "none", "subscribe")
			account.Accept("alice@contoso.example")
			contactOfUser(t, s, account.JID(), "both", "")
			if err := account.SendMessage("alice@contoso.example", "it is me"); err != nil {
				t.Fatal(err)
			}
			within(t, func(ctx context.Context) error {
				room, err := s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.Name == "Lara" })
				if err != nil {
					return err
				}
				_, err = s.Alice.WaitMessage(ctx, room.ID, func(ev *homeserver.Event) bool { return ev.Body() == "it is me" })
				if err == nil {
					_, err = s.Alice.SendText(room.ID, "I see")
				}
				return err
			})
			within(t, func(ctx context.Context) error {
				received, err := account.WaitReceived(ctx, 1)
				if err == nil && received[0].Body != "I see" {
					t.Errorf("Lara received %q", received[0].Body)
				}
				return err
			})
		})
	}
}

func TestNobodyElseChangesTheContactList(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary" })
	s.Switch(func(sw *messengerd.Switches) { sw.IQFrom.Push = "foreign" })
	s.User().Rename("mary@contoso.example", "Mallory")
	everythingSoFarIsHandled(s)
	s.Switch(func(sw *messengerd.Switches) { sw.IQFrom.Push = "absent" })
	s.User().Rename("john@contoso.example", "John from work")
	s.ServiceSends("john", "hello")
	s.RoomShows("john", "hello")
	profileOf(t, s, "john", func(name, _ string) bool { return name == "John from work" })
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary" })
}
