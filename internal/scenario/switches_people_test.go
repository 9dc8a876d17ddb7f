package scenario_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

func TestAddressesAreLookedUpHoweverTheServiceAnswers(t *testing.T) {
	s := scenario.Start(t, withYan(nil))
	s.LoginWithToken()
	resolve := func(ctx context.Context, address string) (found provisioned, err error) {
		err = s.Provision(ctx, http.MethodGet, "/v3/resolve_identifier/"+url.PathEscape(address), struct{}{}, &found)
		return found, err
	}
	refused := func(address, code, sentence string) {
		t.Helper()
		within(t, func(ctx context.Context) error {
			_, err := resolve(ctx, address)
			if err == nil || !strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), sentence) {
				t.Errorf("%s: %v", address, err)
			}
			return nil
		})
	}
	// The answer that never comes is waited for beside the others.
	s.Switch(func(sw *messengerd.Switches) { sw.GetJID.Unknown = "silence" })
	var patient sync.WaitGroup
	patient.Go(func() {
		refused("nobody@contoso.example", "504", "did not answer the search for nobody@contoso.example in time")
	})
	for _, from := range []string{"email", "domain", "own", "absent"} {
		s.Switch(func(sw *messengerd.Switches) { sw.GetJID.ReplyFrom = from })
		within(t, func(ctx context.Context) error {
			found, err := resolve(ctx, "Zoe@Contoso.example")
			if err == nil && found.ID != "4000@messenger.example" {
				t.Errorf("an answer from %s: %+v", from, found)
			}
			return err
		})
	}
	patient.Wait()
	for _, unknown := range []string{"item-not-found", "empty"} {
		for _, from := range []string{"email", "domain", "own", "absent"} {
			s.Switch(func(sw *messengerd.Switches) { sw.GetJID = messengerd.GetJID{Unknown: unknown, ReplyFrom: from} })
			refused("nobody@contoso.example", "404", "Messenger knows nobody with the e-mail address")
		}
	}
	s.UserTellsBot("start-chat " + yan)
	s.BotSays("Created chat with")
}

func TestSomebodyInvisibleGetsWhatTheServiceKeptOnceTheyAreSeen(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) { cfg.Switches.Presence.Invisible = "stored" }})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.UserTellsBot("presence invisible")
	s.BotSays("unless Messenger keeps them for you until you are seen again")
	s.UserSends("mary", "are you seeing me?") // what the user writes is sent all the same, and behind their presence
	s.ContactReceives("mary", "are you seeing me?")
	s.ServiceSends("mary", "no", "are you there?")
	s.KillBridge()
	s.ServiceSends("mary", "hm")
	s.StartBridge()
	s.SessionIsUp()
	s.UserSends("mary", "wait")
	s.ContactReceives("mary", "wait")
	s.ServiceSends("mary", "so?")
	s.UserTellsBot("presence available")
	s.BotSays("see you as available")
	s.RoomShows("mary", "no", "are you there?", "hm", "so?")
	s.NothingElseWasSaid()
}

func TestAServiceMayDropWhatIsNoMessage(t *testing.T) {
	var chats, others, cards, probes atomic.Int32
	s := scenario.Start(t, scenario.Options{
		Network: map[string]any{"typing": "on"},
		Service: func(cfg *messengerd.Config) {
			cfg.Switches.Messages = messengerd.MessageRules{OtherTypes: "dropped", ChatStates: "dropped"}
			cfg.Switches.Presence.Probe, cfg.Switches.Presence.Own = "feature-not-implemented", "not_sent"
			cfg.Switches.VCard.Update = "forbidden"
		},
		Trace: func(ev messengerd.TraceEvent) {
			says := func(text string) bool { return strings.Contains(ev.XML, text) }
			switch {
			case !ev.FromC:
			case says("<message") && says(`type="chat"`):
				chats.Add(1)
			case says("<message"):
				others.Add(1)
			case says("<presence") && says(`type="probe"`):
				probes.Add(1)
			case says("<iq") && says(`type="set"`) && says("vcard-temp"):
				cards.Add(1)
			}
		},
	})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ContactIsShown("mary", event.PresenceOnline, "")
	typesAndSays(t, s, "hello Mary")
	if state := s.Contact("mary").Typing("alice@contoso.example"); state != "" {
		t.Errorf("the contact's program shows %q", state)
	}
	s.UserTypes("mary", false)
	s.Alice.SetPresence(event.PresenceUnavailable, "")
	s.UserIsShown("away", "")
	s.ContactTypes("mary", "composing")
	s.RoomShowsTyping("mary", true)
	s.ContactGoes("mary", "away", "at lunch")
	s.ContactIsShown("mary", event.PresenceUnavailable, "at lunch")
	s.ConnectionBreaks()
	s.SessionIsUp()
	s.UserIsShown("away", "")
	s.NothingElseWasSaid()
	if texts := toldIn(s, "mary"); len(texts) != 0 {
		t.Errorf("the room was told %q", texts)
	}
	if chats.Load() == 0 {
		t.Error("not even the bridge's messages were seen")
	}
	for what, n := range map[string]*atomic.Int32{"messages that are not chat": &others, "presence probes": &probes, "cards of its own": &cards} {
		if n.Load() != 0 {
			t.Errorf("the bridge sent %d %s", n.Load(), what)
		}
	}
}

func TestPresenceIsRepeatedForHomeserversThatForgetIt(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"presence": map[string]any{"refresh": true}}})
	s.LoginWithToken()
	for _, name := range []string{"mary", "john"} {
		s.ServiceSends(name, "hello")
		s.RoomShows(name, "hello")
		s.ContactIsShown(name, event.PresenceOnline, "")
	}
	s.ContactGoes("john", "offline", "")
	s.ContactIsShown("john", event.PresenceOffline, "")
	of := func(name string) (seqs []int) {
		ghost := s.Ghost(name)
		for _, r := range s.HS.Requests(func(r homeserver.Request) bool { return r.Endpoint == "presence" && r.UserID == ghost }) {
			seqs = append(seqs, r.Seq)
		}
		return seqs
	}
	before, away, ghost := slices.Max(of("mary")), len(of("john")), s.Ghost("mary")
	var again homeserver.Request
	within(t, func(ctx context.Context) (err error) {
		again, err = s.HS.WaitRequest(ctx, func(r homeserver.Request) bool {
			return r.Endpoint == "presence" && r.UserID == ghost && r.Seq > before
		})
		return err
	})
	if !strings.Contains(string(again.Body), string(event.PresenceOnline)) {
		t.Errorf("the presence is repeated as %s", again.Body)
	}
	everythingSoFarIsHandled(s)
	if now := len(of("john")); now != away {
		t.Errorf("somebody offline was shown %d times more", now-away)
	}
}
