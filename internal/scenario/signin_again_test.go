package scenario_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// Further tokens of the service, of the user's account and of another one.
const (
	secondToken = "EwAoAwAAsecondTOKENalice+/AAAA=="
	zoesToken   = "EwAoAwAAscenarioTOKENzoe+/AAAA=="
)

// moreTokens are a service with these tokens, and a bridge with a second user.
func moreTokens() scenario.Options {
	return scenario.Options{
		Bridge: map[string]any{"permissions": map[string]any{"@alice:example.org": "user", "@bob:example.org": "user"}},
		Service: func(cfg *messengerd.Config) {
			cfg.Tokens = append(
				cfg.Tokens, messengerd.TokenConfig{Account: "alice@contoso.example", Token: secondToken}, messengerd.TokenConfig{Account: "zoe@contoso.example", Token: zoesToken},
			)
		},
	}
}

func TestSigningInAgainRenewsTheSameLogin(t *testing.T) {
	s := scenario.Start(t, moreTokens())
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	before := s.NewerSession(0)
	s.UserTellsBot("relogin 1000@messenger.example token")
	s.BotSays("access token")
	s.UserAnswersBot(secondToken)
	s.BotSays("Successfully logged in as 1000@messenger.example")
	s.NewerSession(before)
	s.NothingElseWasSaid()
	s.AreNowhere(map[string]string{"the new token": secondToken})
}

func TestSigningInAgainWithAnotherAccountIsRefusedAndHarmsNothing(t *testing.T) {
	s := scenario.Start(t, moreTokens())
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.UserTellsBot("relogin 1000@messenger.example token")
	s.BotSays("access token")
	s.UserTellsBot(zoesToken)
	s.BotSays("This is the account 4000@messenger.example, but 1000@messenger.example was to be signed in again")
	s.UserTellsBot("list-logins")
	if list := s.BotSays("1000@messenger.example"); strings.Contains(list, "4000@") {
		t.Errorf("the logins are now %s", list)
	}
	s.NothingElseWasSaid()
}

func TestNobodyCanSignInAgainToSomebodyElsesLogin(t *testing.T) {
	s := scenario.Start(t, moreTokens())
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	bob := s.HS.User("bob")
	room, err := bob.CreateRoom(homeserver.RoomOptions{Direct: true, Invite: []id.UserID{s.Bot()}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := bob.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID == room && v.Joined(s.Bot()) })
		return err
	})
	if _, err = bob.SendText(room, "relogin 1000@messenger.example token "+zoesToken); err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := bob.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Sender == s.Bot() && strings.Contains(ev.Body(), "You have no login `1000@messenger.example`")
		})
		return err
	})
	s.NothingElseWasSaid()
}

func TestAddressesOfOtherPeopleStayOutOfTheLogsWarnings(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{"logging": {"min_level": "info"}}})
	s.LoginWithToken()
	s.UserTellsBot("start-chat nobody.at.all@contoso.example")
	s.BotSays("Messenger knows nobody with the e-mail address")
	s.UserTellsBot("resolve-identifier nobody.at.all@contoso.example")
	s.BotSays("Messenger knows nobody with the e-mail address")
	written, err := os.ReadFile(filepath.Join(filepath.Dir(s.ConfigFile()), "bridge.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(written), "nobody.at.all") {
		t.Errorf("the log holds the address:\n%s", written)
	}
}
