package scenario_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// yan is one more stranger.
const yan = "yan@contoso.example"

// withYan is a service with Yan and these switches.
func withYan(change func(*messengerd.Switches)) scenario.Options {
	return scenario.Options{Service: func(cfg *messengerd.Config) {
		cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{Email: yan, JID: "5000@messenger.example", Name: "Yan", Contact: true})
		if change != nil {
			change(&cfg.Switches)
		}
	}}
}

// tellsTimes waits until the room with a contact has been told something n times.
func tellsTimes(t *testing.T, s *scenario.Scenario, name, part string, n int) {
	t.Helper()
	room, seen := s.Room(name), map[id.EventID]bool{}
	says := func(ev *homeserver.Event) bool { return ev.Sender == s.Bot() && strings.Contains(ev.Body(), part) }
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			if says(ev) {
				seen[ev.ID] = true
			}
			return len(seen) >= n
		})
		return err
	})
	told := 0
	for _, ev := range s.Alice.Messages(room) {
		if says(ev) {
			told++
		}
	}
	if told != n {
		t.Errorf("the room was told %d times that %s", told, part)
	}
}

// nameOf is what the user's list at the service calls somebody.
func nameOf(s *scenario.Scenario, jid string) string {
	for _, contact := range s.User().Contacts() {
		if contact.JID == jid {
			return contact.Name
		}
	}
	return ""
}

// sessionIsLost makes the user's session end and keeps it from beginning again until sessionReturns.
func sessionIsLost(s *scenario.Scenario) {
	s.Switch(func(sw *messengerd.Switches) {
		sw.SASLFailure = messengerd.SASLFailure{Condition: "temporary-auth-failure", Stream: "close", Always: true}
	})
	s.ConnectionBreaks()
	s.SessionHasEnded()
}

func sessionReturns(s *scenario.Scenario) {
	s.Switch(func(sw *messengerd.Switches) { sw.SASLFailure.Always = false })
	s.UserTellsBot("reconnect")
	s.SessionIsUp()
}

func TestHoweverTheServiceRefusesChangesOfTheListPeopleAreAskedAndKeepTheirNames(t *testing.T) {
	s := scenario.Start(t, withYan(nil))
	s.LoginWithToken()
	s.UserTellsBot("start-chat 4000@messenger.example")
	for n, refusal := range []string{"not-allowed", "feature-not-implemented", "service-unavailable", "silence", "carried_out"} {
		s.Switch(func(sw *messengerd.Switches) { sw.RosterRefusal = refusal })
		if n > 0 { // Zoe is on the list already, so that a change of her entry would be refused, or carried out
			s.UserTellsBot("start-chat 4000@messenger.example")
			s.BotSays("You already have a direct chat with")
		}
		tellsTimes(t, s, "zoe", "Your request was sent to", n+1)
		contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
		if n == 0 {
			s.User().Rename("zoe@contoso.example", "Zoe from the choir")
		} else if name := nameOf(s, "4000@messenger.example"); name != "Zoe from the choir" {
			t.Errorf("with %s the contact is called %q on the list", refusal, name)
		}
		s.Contact("zoe").Decline("alice@contoso.example")
		tellsTimes(t, s, "zoe", "has declined your request", n+1)
	}
	s.UserTellsBot("remove-contact mary")
	s.BotSays("Messenger does not allow that from here")
	s.RosterOf("mary", "both")

	// A service that says nothing to what it does not do: that is a refusal, too.
	s.Switch(func(sw *messengerd.Switches) { sw.AddingContacts, sw.RosterRefusal = "refused", "silence" })
	s.UserTellsBot("start-chat 5000@messenger.example")
	within(t, func(ctx context.Context) error {
		room, err := s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return strings.HasPrefix(v.Name, "5000") || v.Name == "Yan" })
		if err == nil {
			_, err = s.Alice.WaitMessage(ctx, room.ID, func(ev *homeserver.Event) bool {
				return ev.Sender == s.Bot() && strings.Contains(ev.Body(), "Messenger did not take your request to")
			})
		}
		return err
	})
	s.UserTellsBot("requests")
	s.BotSays("No contact request waits for an answer")
}

func TestAnAnswerThatTheServiceDoesNotTakeIsToldOnceAndGivenAgain(t *testing.T) {
	for _, refusal := range []string{"ignored", "error"} {
		t.Run(refusal, func(t *testing.T) {
			s := scenario.Start(t, scenario.Options{})
			s.LoginWithToken()
			s.StrangerAsks("zoe", "Zoe", "")
			room := s.UserIsInvited("zoe")
			s.Switch(func(sw *messengerd.Switches) { sw.AddingContacts, sw.RefusedPresence = "refused", refusal })
			s.UserJoins(room.ID)
			s.RoomTells("zoe", "Messenger did not take your answer to the request of Zoe")
			s.ServiceSends("zoe", "are you there?")
			s.RoomShows("zoe", "are you there?")
			s.UserTellsBot("requests")
			s.BotSays("Zoe — 4000@messenger.example — accepted, but Messenger did not take the answer")
			s.RestartBridge() // the service asks again, and refuses again
			s.SessionIsUp()
			s.ServiceSends("zoe", "still there?")
			s.RoomShows("zoe", "still there?")
			s.Switch(func(sw *messengerd.Switches) { sw.AddingContacts = "allowed" })
			s.ConnectionBreaks()
			s.RosterOf("zoe", "both")
			everythingSoFarIsHandled(s)
			tellsTimes(t, s, "zoe", "did not take your answer", 1)
			tellsTimes(t, s, "zoe", "wants to become your Messenger contact", 1)
			oneRoomWith(t, s, "zoe")
			s.NothingElseWasSaid()
		})
	}
}

func TestAnAnswerThatTheServiceTakesLateIsNotedWithoutANewSession(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe", "")
	room := s.UserIsInvited("zoe")
	s.Switch(func(sw *messengerd.Switches) { sw.AddingContacts, sw.RefusedPresence = "refused", "ignored" })
	s.UserJoins(room.ID)
	s.RoomTells("zoe", "Messenger did not take your answer to the request of Zoe")
	s.Switch(func(sw *messengerd.Switches) { sw.AddingContacts = "allowed" })
	s.User().Accept("zoe@contoso.example") // in another program
	s.RosterOf("zoe", "both")
	within(t, func(ctx context.Context) error {
		for ctx.Err() == nil {
			s.UserTellsBot("requests")
			if strings.Contains(s.BotSays(""), "No contact request waits") {
				return nil
			}
		}
		return ctx.Err()
	})
}

func TestADeclineThatComesTooLateEndsNoFriendship(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("help")
	s.BotSays("start-chat")
	lost := failsToTell(s, "it had been accepted before") // and is told all the same
	for _, refusal := range []string{"ignored", "error", "carried_out"} {
		s.Switch(func(sw *messengerd.Switches) { sw.RefusedPresence = refusal })
		s.StrangerAsks("zoe", "Zoe", "")
		room := s.UserIsInvited("zoe")
		sessionIsLost(s)
		s.User().Accept("zoe@contoso.example") // in another program
		s.UserLeaves(room.ID)
		within(t, func(ctx context.Context) error {
			for ctx.Err() == nil {
				s.UserTellsBot("requests")
				if strings.Contains(s.BotSays("Zoe — 4000@messenger.example"), "declined, Messenger is still to be told") {
					return nil
				}
			}
			return ctx.Err()
		})
		sessionReturns(s)
		s.BotSays("You declined the request of Zoe, but it had been accepted before in another Messenger program")
		everythingSoFarIsHandled(s)
		s.RosterOf("zoe", "both")
		if contacts := s.User().Contacts(); !slices.ContainsFunc(contacts, func(c messengerd.Contact) bool {
			return c.JID == "4000@messenger.example" && c.Subscription == "both"
		}) {
			t.Fatalf("with %s the contacts are %+v", refusal, contacts)
		}
		s.ServiceSends("zoe", "we are friends")
		again := newRoomWith(t, s, "zoe", room.ID)
		shows(t, s, again, "zoe", "we are friends")
		s.UserLeaves(again)
		isGone(t, s, again, s.Ghost("zoe"))
		s.Contact("zoe").Remove("alice@contoso.example") // and may ask again
	}
	if lost.Hits() != 1 {
		t.Errorf("the homeserver refused %d notices", lost.Hits())
	}
}

// failsToTell has the homeserver not know the bridge for a moment, as a notice of the bot comes in.
func failsToTell(s *scenario.Scenario, part string) *homeserver.Fault {
	return s.HS.Fail(func(r homeserver.Request) bool {
		return homeserver.Sends("m.room.message")(r) && bytes.Contains(r.Body, []byte(part))
	}, http.StatusUnauthorized, `{"errcode": "M_UNKNOWN_TOKEN", "error": "who?"}`, 1)
}

func TestContactsMayBecomeMutualInTwoSteps(t *testing.T) {
	s := scenario.Start(t, withYan(func(sw *messengerd.Switches) { sw.MutualContacts = false }))
	s.LoginWithToken()

	s.StrangerAsks("zoe", "Zoe", "")
	s.UserJoins(s.UserIsInvited("zoe").ID)
	contactOfUser(t, s, "4000@messenger.example", "from", "subscribe") // she sees the user, and has been asked in turn
	s.ServiceSends("zoe", "hello")
	s.RoomShows("zoe", "hello")
	s.UserSends("zoe", "hello Zoe")
	s.ContactReceives("zoe", "hello Zoe")
	s.UserTellsBot("contacts")
	s.BotSays("Zoe — 4000@messenger.example — invited")
	s.Contact("zoe").Accept("alice@contoso.example")
	contactOfUser(t, s, "4000@messenger.example", "both", "")
	s.ContactGoes("zoe", "busy", "")
	s.ContactIsShown("zoe", event.PresenceUnavailable, "Busy")
	s.UserTellsBot("contacts zoe")
	s.BotSays("Zoe — 4000@messenger.example — busy")

	s.UserTellsBot("start-chat " + yan)
	s.BotSays("Created chat with")
	contactOfUser(t, s, "5000@messenger.example", "none", "subscribe")
	s.Service.Account(yan).Accept("alice@contoso.example")
	contactOfUser(t, s, "5000@messenger.example", "to", "") // the user sees Yan, who does not see the user
	everythingSoFarIsHandled(s)                             // Yan's presence, too
	s.UserTellsBot("contacts yan")
	s.BotSays("— 5000@messenger.example — available")
	invites := len(s.Alice.Invites())
	s.Service.Account(yan).Invite("alice@contoso.example", "Yan", "") // is no question to the user any more
	contactOfUser(t, s, "5000@messenger.example", "both", "")
	everythingSoFarIsHandled(s)
	if got := len(s.Alice.Invites()); got != invites {
		t.Errorf("there are %d invites more", got-invites)
	}
	s.NothingElseWasSaid()
}
