package scenario_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// within bounds a wait of a test.
func within(t testing.TB, wait func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scenario.StepTimeout)
	defer cancel()
	if err := wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// roomsWith are the rooms the user is in or invited to that somebody's ghost is in.
func roomsWith(s *scenario.Scenario, name string) []homeserver.RoomView {
	var all []homeserver.RoomView
	for _, room := range append(s.Alice.Rooms(), s.Alice.Invites()...) {
		if room.Has(s.Ghost(name)) {
			all = append(all, room)
		}
	}
	return all
}

// oneRoomWith fails unless there is exactly one room with somebody.
func oneRoomWith(t *testing.T, s *scenario.Scenario, name string) homeserver.RoomView {
	t.Helper()
	rooms := roomsWith(s, name)
	if len(rooms) != 1 {
		t.Fatalf("there are %d rooms with %s instead of one", len(rooms), name)
	}
	return rooms[0]
}

// roomIsGone waits until the user is neither in the room nor invited to it.
func roomIsGone(t *testing.T, s *scenario.Scenario, room id.RoomID) {
	t.Helper()
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Type == "m.room.member" && ev.StateKey != nil && *ev.StateKey == s.Alice.ID.String() && ev.Get("membership") == "leave"
		})
		return err
	})
}

// everythingSoFarIsHandled lets a message go through the service, the bridge and the homeserver, behind all that came before it.
func everythingSoFarIsHandled(s *scenario.Scenario) {
	s.ServiceSends("mary", "a word in between")
	s.RoomShows("mary", "a word in between")
}

func TestTheInviteOfARequestIsFromTheContact(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe from work", "Hi, it's me")
	room := s.UserIsInvited("zoe")
	if room.Inviter != s.Ghost("zoe") {
		t.Errorf("the inviter is %s", room.Inviter)
	}
	if !room.Direct {
		t.Error("the invite is not to a direct chat")
	}
	if room.Name != "Zoe from work" {
		t.Errorf("the room is called %q", room.Name)
	}
	s.UserJoins(room.ID)
	s.RoomTells("zoe", "Hi, it's me")
	s.RosterOf("zoe", "both")
	s.UserSends("zoe", "hello Zoe")
	s.ContactReceives("zoe", "hello Zoe")
}

func TestARequestMakesOneRoomHoweverOftenBothSidesAreRestarted(t *testing.T) {
	scenario.Play(
		t, scenario.Options{},
		scenario.Step{Name: "the user signs in", Do: func(s *scenario.Scenario) { s.LoginWithToken() }},
		scenario.Step{Name: "Zoe asks", Do: func(s *scenario.Scenario) { s.StrangerAsks("zoe", "Zoe", "") }},
		scenario.Step{Name: "the user is invited", Do: func(s *scenario.Scenario) { s.UserIsInvited("zoe") }},
		scenario.Step{Name: "the service restarts and asks again", Do: func(s *scenario.Scenario) {
			s.ServiceGoesDown()
			s.ServiceComesBack()
			s.SessionIsUp()
			everythingSoFarIsHandled(s)
			oneRoomWith(t, s, "zoe")
		}},
		scenario.Step{Name: "the user joins", Do: func(s *scenario.Scenario) { s.UserJoins(oneRoomWith(t, s, "zoe").ID) }},
		scenario.Step{Name: "they are contacts", Do: func(s *scenario.Scenario) { s.RosterOf("zoe", "both") }},
		scenario.Step{Name: "Zoe writes", Do: func(s *scenario.Scenario) {
			s.ServiceSends("zoe", "thank you")
			s.RoomShows("zoe", "thank you")
			oneRoomWith(t, s, "zoe")
		}},
	)
}

func TestARequestRoomWhoseMakingWasNotAnsweredIsFoundAgain(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	ghost := s.Ghost("zoe")
	s.HS.FailAfter(func(r homeserver.Request) bool { return r.Endpoint == "createRoom" && r.UserID == ghost }, http.StatusBadGateway, `{"errcode":"M_UNKNOWN","error":"lost"}`, 1)
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.UserJoins(room.ID) // perhaps before the bridge has found the room again
	s.RosterOf("zoe", "both")
	oneRoomWith(t, s, "zoe")
	if made := len(s.HS.Requests(func(r homeserver.Request) bool { return r.Endpoint == "createRoom" && r.UserID == ghost })); made != 1 {
		t.Errorf("the room was made %d times", made)
	}
}

func TestMessagesOfSomebodyNotYetAcceptedWaitAndAreShownInOrder(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.ServiceSends("zoe", "one", "two")
	s.RestartBridge()
	s.SessionIsUp()
	s.ServiceSends("zoe", "three")
	s.ContactTypes("zoe", "composing")
	everythingSoFarIsHandled(s)
	for _, ev := range s.Alice.Messages(room.ID) {
		if ev.Sender == s.Ghost("zoe") {
			t.Fatalf("shown before the request was accepted: %q", ev.Body())
		}
	}
	s.UserJoins(room.ID)
	s.RoomShows("zoe", "one", "two", "three")
	s.ServiceSends("zoe", "four")
	s.RoomShows("zoe", "four")
}

func TestADoublePuppetDoesNotAcceptByItself(t *testing.T) {
	s := scenario.Start(t, scenario.Options{}) // with double puppeting
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	s.UserIsInvited("zoe")
	s.ContactTypes("zoe", "composing")
	s.ServiceSends("zoe", "are you there?")
	s.ContactGoes("zoe", "away", "")
	s.RestartBridge()
	s.SessionIsUp()
	everythingSoFarIsHandled(s)
	if room := oneRoomWith(t, s, "zoe"); room.Membership != event.MembershipInvite {
		t.Fatalf("the user's membership is %s", room.Membership)
	}
	if entry := s.ContactOf("zoe"); entry.Subscription != "none" {
		t.Fatalf("the request was accepted: %+v", entry)
	}
}

func TestRequestsAreListedAndAnsweredByCommand(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("requests")
	s.BotSays("No contact request waits for an answer.")
	s.StrangerAsks("zoe", "Zoe from work", "")
	room := s.UserIsInvited("zoe")
	s.UserTellsBot("requests")
	s.BotSays("Zoe from work — 4000@messenger.example — wants to be your contact")
	s.UserTellsBot("accept Nobody")
	s.BotSays("“Nobody”")
	s.UserTellsBot("decline zoe FROM work")
	s.BotSays("declined the request of Zoe from work")
	s.RosterOf("zoe", "none")
	roomIsGone(t, s, room.ID)
	s.StrangerAsks("zoe", "Zoe again", "") // a declined contact may ask again
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitInvite(ctx, func(v homeserver.RoomView) bool { return v.Has(s.Ghost("zoe")) && v.ID != room.ID })
		return err
	})
	s.UserTellsBot("accept 4000@messenger.example")
	s.BotSays("accepted the request of Zoe again")
	s.RosterOf("zoe", "both")
	s.ServiceSends("zoe", "at last")
	s.RoomShows("zoe", "at last")
}

func TestAnAnswerGivenDuringAnOutageReachesTheServiceAfterwards(t *testing.T) {
	for name, accept := range map[string]bool{"accepted": true, "declined": false} {
		t.Run(name, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{})
			s.LoginWithToken()
			s.StrangerAsks("zoe", "Zoe", "")
			room := s.UserIsInvited("zoe")
			s.ServiceGoesDown()
			want := "none"
			if accept {
				want = "both"
				s.UserJoins(room.ID)
			} else {
				s.UserLeaves(room.ID)
			}
			within(t, s.Appservice.WaitIdle)
			s.KillBridge()
			s.ServiceComesBack()
			s.StartBridge()
			s.RosterOf("zoe", want)
			if entry := s.User().Contacts(); !accept {
				for _, contact := range entry {
					if contact.Invites {
						t.Errorf("a request still waits: %+v", contact)
					}
				}
			}
		})
	}
}

func TestAFloodOfRequestsIsSummedUp(t *testing.T) {
	s := scenario.Start(t, scenario.Options{
		Network: map[string]any{"limits": map[string]any{"requests": 2}},
		Service: func(cfg *messengerd.Config) {
			for i := range 6 {
				cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{
					Email: fmt.Sprintf("stranger%d@contoso.example", i), JID: fmt.Sprintf("900%d@messenger.example", i), Name: "Stranger", Contact: true,
				})
			}
		},
	})
	s.LoginWithToken()
	s.UserTellsBot("ping-nothing")
	s.BotSays("Unknown command")
	failsToTell(s, "More people want") // and is told all the same
	ask := func(i int) {
		s.Service.Account(fmt.Sprintf("stranger%d@contoso.example", i)).Invite("alice@contoso.example", fmt.Sprintf("Stranger %d", i), "")
	}
	for i := range 6 {
		ask(i)
	}
	s.BotSays("More people want to become your Messenger contacts")
	everythingSoFarIsHandled(s)
	if got := strangersInvites(s.Alice.Invites()); len(got) != 2 {
		t.Fatalf("there are %d invites", len(got))
	}
	s.UserTellsBot("requests")
	list := s.BotSays("wants to be your contact")
	if got := strings.Count(list, "wants to be your contact"); got != 6 {
		t.Fatalf("%d requests are listed:\n%s", got, list)
	}
	before := strangersInvites(s.Alice.Invites())
	s.UserTellsBot("decline Stranger 0")
	s.BotSays("declined the request of Stranger 0")
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitInvite(ctx, func(v homeserver.RoomView) bool {
			return strings.HasPrefix(v.Name, "Stranger") && !before[v.ID]
		})
		return err
	})
	if got := countSaid(s, "More people want"); got != 1 {
		t.Errorf("the flood was told %d times", got)
	}
}

// strangersInvites are the invites of the flood.
func strangersInvites(all []homeserver.RoomView) map[id.RoomID]bool {
	found := map[id.RoomID]bool{}
	for _, room := range all {
		if strings.HasPrefix(room.Name, "Stranger") {
			found[room.ID] = true
		}
	}
	return found
}

// countSaid counts the bot's messages that contain a text, in all rooms of the user.
func countSaid(s *scenario.Scenario, part string) (count int) {
	for _, room := range s.Alice.Rooms() {
		for _, ev := range s.Alice.Messages(room.ID) {
			if ev.Sender == s.Bot() && strings.Contains(ev.Body(), part) {
				count++
			}
		}
	}
	return count
}

func TestADeclineIsToldThoughTheRoomIsEmptiedBySomebodyElse(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.HS.Fail(func(r homeserver.Request) bool { return r.Endpoint == "joined_members" && r.RoomID == room.ID }, // as when the bot is out already
		http.StatusForbidden, `{"errcode":"M_FORBIDDEN","error":"You are not in the room"}`, 0)
	s.UserLeaves(room.ID)
	s.RosterOf("zoe", "none")
	s.StrangerAsks("zoe", "Zoe again", "")
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitInvite(ctx, func(v homeserver.RoomView) bool { return v.Has(s.Ghost("zoe")) && v.ID != room.ID })
		return err
	})
}

func TestLeavingTheChatOfAnAcceptedContactSendsNothing(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.UserJoins(room.ID)
	s.RosterOf("zoe", "both")
	everythingSoFarIsHandled(s)
	s.UserLeaves(room.ID)
	within(t, s.Appservice.WaitIdle)
	s.UserSends("mary", "a word behind it")
	s.ContactReceives("mary", "a word behind it")
	s.RosterOf("zoe", "both")
}

func TestARequestOfSomebodyWhoIsAContactAlreadyIsAnsweredSilently(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) {
		user := &cfg.Accounts[len(cfg.Accounts)-1]
		for i := range user.Contacts {
			if user.Contacts[i].Account == "john@contoso.example" {
				user.Contacts[i].Subscription = "to"
			}
		}
	}})
	s.LoginWithToken()
	s.StrangerAsks("john", "John", "")
	s.RosterOf("john", "both")
	everythingSoFarIsHandled(s)
	if rooms := roomsWith(s, "john"); len(rooms) != 0 {
		t.Fatalf("a room was made: %+v", rooms)
	}
}

func TestARequestThatIsTakenBackTakesItsRoomAlong(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.Contact("zoe").Remove("alice@contoso.example")
	roomIsGone(t, s, room.ID)
	s.UserTellsBot("requests")
	s.BotSays("No contact request waits for an answer.")
}
