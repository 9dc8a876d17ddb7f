package scenario_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// contactOfUser waits until the user's roster has somebody with a subscription and what is asked.
func contactOfUser(t *testing.T, s *scenario.Scenario, jid, subscription, ask string) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		for {
			if slices.ContainsFunc(s.User().Contacts(), func(c messengerd.Contact) bool {
				return c.JID == jid && c.Subscription == subscription && c.Ask == ask
			}) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			everythingSoFarIsHandled(s)
		}
	})
}

func TestStartChatLooksUpTheAddressAsksAndTellsTheAnswer(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("start-chat Zoe@Contoso.example")
	s.BotSays("Created chat with")
	s.RoomTells("zoe", "Your request was sent to zoe@contoso.example")
	contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
	s.UserTellsBot("contacts")
	s.BotSays("zoe@contoso.example — 4000@messenger.example — invited")
	s.UserTellsBot("requests")
	s.BotSays("your request, not answered yet")
	s.Contact("zoe").Accept("alice@contoso.example")
	s.RosterOf("zoe", "both")
	s.RoomTells("zoe", "has accepted your request")
	s.UserTellsBot("contacts zoe@contoso.example")
	s.BotSays("E-mail address: zoe@contoso.example")
	s.UserSends("zoe", "hello")
	s.ContactReceives("zoe", "hello")
}

func TestTheOtherSideSeesTheUsersNameInARequest(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("start-chat 4000@messenger.example")
	s.RoomTells("zoe", "Your request was sent to")
	within(t, func(ctx context.Context) error {
		for {
			for _, contact := range s.Contact("zoe").Contacts() {
				if contact.Invites && contact.JID == "1000@messenger.example" {
					return nil
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			everythingSoFarIsHandled(s)
		}
	})
}

func TestADeclinedRequestIsToldAndCanBeMadeAgain(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("start-chat 4000@messenger.example")
	s.RoomTells("zoe", "Your request was sent to")
	contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
	s.Contact("zoe").Decline("alice@contoso.example")
	s.RoomTells("zoe", "has declined your request")
	s.UserTellsBot("start-chat 4000@messenger.example")
	s.BotSays("You already have a direct chat with")
	contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
	s.Contact("zoe").Accept("alice@contoso.example")
	s.RoomTells("zoe", "has accepted your request")
}

func TestWhatCannotBeFoundIsSaidInASentence(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	for text, answer := range map[string]string{
		"nobody@contoso.example":  "Messenger knows nobody with the e-mail address nobody@contoso.example",
		"mary":                    "is not an e-mail address that Messenger can look up",
		"o'brien@contoso.example": "is not an e-mail address that Messenger can look up",
		"@messenger.example":      "is not a Messenger address",
		"alice@contoso.example":   "That is your own account",
	} {
		s.UserTellsBot("start-chat " + text)
		s.BotSays(answer)
	}
	s.UserTellsBot("start-chat mary@contoso.example")
	s.BotSays("Created chat with")
	s.RoomTells("mary", "is already one of your Messenger contacts")
	s.UserTellsBot("start-chat 2000@Messenger.Example")
	s.BotSays("You already have a direct chat with")
}

func TestAJIDCanBeAskedDuringAnOutageAndAnAddressNot(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("start-chat 2000@messenger.example")
	s.BotSays("Created chat with")
	s.ServiceGoesDown()
	within(t, func(ctx context.Context) error {
		for {
			s.UserTellsBot("status")
			if !strings.Contains(s.BotSays("1000@messenger.example"), "— connected") {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	})
	s.UserTellsBot("start-chat zoe@contoso.example")
	s.BotSays("There is no connection to Messenger at the moment, so the e-mail address cannot be looked up")
	s.UserTellsBot("start-chat 4000@messenger.example")
	s.BotSays("Created chat with")
	s.RoomTells("zoe", "will be sent as soon as there is one")
	s.KillBridge()
	s.ServiceComesBack()
	s.StartBridge()
	s.SessionIsUp()
	contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
}

func TestInvitingAGhostAsksTheContact(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	room, err := s.Alice.CreateRoom(homeserver.RoomOptions{Direct: true, Invite: []id.UserID{s.Ghost("zoe")}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.ID == room && v.Joined(s.Ghost("zoe")) && v.Joined(s.Bot()) })
		return err
	})
	s.RoomTells("zoe", "Your request was sent to")
	contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
	s.Contact("zoe").Accept("alice@contoso.example")
	s.RoomTells("zoe", "has accepted your request")
	s.ServiceSends("zoe", "hi")
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitText(ctx, room, "hi") // behind the framework's own greeting
		return err
	})
	oneRoomWith(t, s, "zoe")
}

func TestStartingAChatWithSomebodyWhoHasAskedAcceptsThem(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe").ID
	// The bridge knows its room, too; a command that comes before that makes another, and the first invite is taken back.
	s.TableHas("portal", func(rows []string) bool { return strings.Contains(strings.Join(rows, "\n"), room.String()) })
	s.UserTellsBot("start-chat zoe@contoso.example")
	s.BotSays("You already have a direct chat with")
	s.RosterOf("zoe", "both")
	oneRoomWith(t, s, "zoe")
}

// provisioned is what the provisioning API says of somebody.
type provisioned struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Identifiers []string `json:"identifiers"`
	Room        string   `json:"dm_room_mxid"`
}

func TestTheProvisioningAPIListsFindsAndResolvesContacts(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	var list struct {
		Contacts []provisioned `json:"contacts"`
		Results  []provisioned `json:"results"`
	}
	names := func(all []provisioned) (names []string) {
		for _, p := range all {
			names = append(names, p.ID+" "+p.Name)
		}
		return names
	}
	within(t, func(ctx context.Context) error {
		if err := s.Provision(ctx, http.MethodGet, "/v3/contacts", json.RawMessage("{}"), &list); err != nil {
			return err
		}
		if got, want := names(list.Contacts), []string{"3000@messenger.example John Doe", "2000@messenger.example Mary"}; !slices.Equal(got, want) {
			t.Errorf("contacts: %q instead of %q", got, want)
		}
		if err := s.Provision(ctx, http.MethodPost, "/v3/search_users", map[string]string{"query": "DOE"}, &list); err != nil {
			return err
		}
		if got, want := names(list.Results), []string{"3000@messenger.example John Doe"}; !slices.Equal(got, want) {
			t.Errorf("found: %q instead of %q", got, want)
		}
		var one provisioned
		if err := s.Provision(ctx, http.MethodGet, "/v3/resolve_identifier/"+url.PathEscape("mary@contoso.example"), json.RawMessage("{}"), &one); err != nil {
			return err
		}
		if one.ID != "2000@messenger.example" || one.Room == "" {
			t.Errorf("resolved: %+v", one)
		}
		if err := s.Provision(ctx, http.MethodPost, "/v3/create_dm/"+url.PathEscape("mary@contoso.example"), struct{}{}, nil); err != nil {
			return err
		}
		if err := s.Provision(ctx, http.MethodGet, "/v3/contacts", json.RawMessage("{}"), &list); err != nil {
			return err
		}
		if identifiers := list.Contacts[1].Identifiers; !slices.Contains(identifiers, "mailto:mary@contoso.example") {
			t.Errorf("the address used is not among %q", identifiers)
		}
		err := s.Provision(ctx, http.MethodGet, "/v3/resolve_identifier/"+url.PathEscape("nobody@contoso.example"), json.RawMessage("{}"), &one)
		if err == nil || !strings.Contains(err.Error(), "Messenger knows nobody") || !strings.Contains(err.Error(), "404") {
			t.Errorf("an unknown address: %v", err)
		}
		return nil
	})
	if rooms := roomsWith(s, "john"); len(rooms) != 0 {
		t.Errorf("listing contacts made a room: %+v", rooms)
	}
}

func TestEveryContactGetsARoomAtSignInWhenSoSet(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"rooms": map[string]any{"at_login": "all"}, "limits": map[string]any{"rooms_per_minute": 10000}}})
	s.LoginWithToken()
	s.Room("mary")
	s.Room("john")
	s.RestartBridge()
	s.SessionIsUp()
	everythingSoFarIsHandled(s)
	oneRoomWith(t, s, "mary")
	oneRoomWith(t, s, "john")
}

func TestContactsAreListedWithNameAddressAndState(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ContactGoes("mary", "busy", "in a meeting")
	s.ContactGoes("john", "offline", "")
	everythingSoFarIsHandled(s)
	s.UserTellsBot("contacts")
	if got, want := s.BotSays("Mary"), "John Doe — 3000@messenger.example — offline\nMary — 2000@messenger.example — busy"; got != want {
		t.Errorf("the list is\n%s\ninstead of\n%s", got, want)
	}
	s.UserTellsBot("contacts MARY")
	s.BotSays("Personal message: in a meeting")
	s.UserTellsBot("contacts doe")
	s.BotSays("John Doe — 3000@messenger.example — offline")
	s.UserTellsBot("remove-contact mary")
	s.BotSays("Messenger does not allow that from here")
}

func TestARequestIsOnlySentWhereTheServiceHasMadeOneOfIt(t *testing.T) {
	for value, sent := range map[string]bool{"allowed": true, "refused": false, "set_without_effect": true, "subscribe_without_effect": false} {
		t.Run(value, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) { cfg.Switches.AddingContacts = value }})
			s.LoginWithToken()
			s.UserTellsBot("start-chat 4000@messenger.example")
			if sent {
				s.RoomTells("zoe", "Your request was sent to")
				contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
				s.Contact("zoe").Accept("alice@contoso.example")
				s.RoomTells("zoe", "has accepted your request")
				return
			}
			s.RoomTells("zoe", "Messenger did not take your request to")
			s.RoomTells("zoe", "Please try again later with the command `!messenger start-chat`")
			s.UserTellsBot("requests")
			s.BotSays("No contact request waits for an answer")
		})
	}
}
