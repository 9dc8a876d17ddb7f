package scenario_test

import (
	"context"
	"strings"
	"testing"

	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// otherwise are services that do everything they may do in another way than the stand-in does by default, several switches at a
// time since they do not touch each other. Nobody is to notice.
var otherwise = map[string]func(*messengerd.Switches){
	"redirected at the first stream": func(sw *messengerd.Switches) {
		sw.FeaturesBeforeTLS, sw.StreamHeader, sw.XMLStyle, sw.Mechanism = "mechanisms", "to", "header_prefixes", "trailing_space"
		sw.RedirectStage, sw.RedirectTarget.Form = "first_stream", "ipv4"
		sw.RedirectEnd = messengerd.RedirectEnd{Header: true, Close: "abrupt"}
		sw.IssuedTokens, sw.ExpiresIn, sw.RefreshToken, sw.TokenAddress = "not_base64", "string", "kept", "post_only"
		sw.Resource, sw.SessionFeature = "overridden", "absent"
		sw.IQFrom = messengerd.IQFrom{Reply: "absent", Push: "bare"}
		sw.DiscoInfo, sw.Ping, sw.VCard.Absent, sw.EmptyArchive = "without", "result", "item-not-found", "iq"
	},
	"redirected during the sign-in": func(sw *messengerd.Switches) {
		sw.StreamHeader, sw.XMLStyle = "no_from", "repeat_namespace"
		sw.RedirectStage, sw.RedirectTarget.Form, sw.RedirectTarget.Chain = "during_sasl", "ipv4", 3
		sw.IssuedTokens, sw.ExpiresIn = "long", "absent"
		sw.Resource, sw.SessionFeature = "conflict", "optional"
		sw.IQFrom = messengerd.IQFrom{Reply: "bare", Push: "full"}
		sw.DiscoInfo, sw.LongestStanza, sw.VCard.Absent, sw.EmptyArchive = "error", 16344, "empty", "list"
	},
	"redirected after the sign-in": func(sw *messengerd.Switches) {
		sw.RedirectStage, sw.RedirectTarget.Form = "after_sasl", "ipv4"
	},
	"redirected at the binding": func(sw *messengerd.Switches) {
		sw.RedirectStage, sw.RedirectTarget.Form, sw.RedirectEnd.Close = "at_bind", "ipv4", "abrupt"
	},
	"redirected once signed in": func(sw *messengerd.Switches) {
		sw.StreamHeader = "no_declaration"
		sw.RedirectStage, sw.RedirectTarget.Form = "signed_in", "ipv4"
		sw.RedirectEnd.Close = "open"
		sw.IssuedTokens = "short"
		sw.IQFrom = messengerd.IQFrom{Reply: "full", Push: "domain"}
		sw.EmptyArchive, sw.GetJID.ReplyFrom = "item-not-found", "absent"
		sw.Archive.Commands = "list"
	},
}

func TestNobodyNoticesHowTheServiceDoesThings(t *testing.T) {
	for name, change := range otherwise {
		t.Run(name, func(t *testing.T) {
			options, _ := oauthOptions(t, "")
			pages := options.Service
			options.Service = func(cfg *messengerd.Config) {
				pages(cfg)
				change(&cfg.Switches)
				cfg.Accounts[0].NoVCard = true // Mary's
			}
			s := scenario.Start(t, options)
			s.UserTellsBot("login oauth")
			s.UserAnswersBot(s.UserVisits(s.AuthorizeLink(), false))
			s.BotSays("Successfully logged in as 1000@messenger.example")
			s.SessionIsUp()
			s.ServiceSends("mary", "hello")
			s.RoomShows("mary", "hello")
			profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary" })
			s.UserSends("mary", strings.Repeat("a long story ", 2000), "the end")
			for text := ""; text != "the end"; {
				text = s.ContactReads("mary")
			}
			s.UserTellsBot("start-chat zoe@contoso.example")
			s.BotSays("Created chat with")
			contactOfUser(t, s, "4000@messenger.example", "none", "subscribe")
			s.Contact("zoe").Accept("alice@contoso.example")
			s.RoomTells("zoe", "has accepted your request")
			s.User().Rename("zoe@contoso.example", "Zoe from the choir") // a push
			profileOf(t, s, "zoe", func(name, _ string) bool { return name == "Zoe from the choir" })
			s.KillBridge()
			s.SessionHasEnded() // else the message might be written to a connection that is dead already
			s.ServiceSends("mary", "where are you?")
			s.StartBridge()
			s.RoomShows("mary", "where are you?")
			s.NothingElseWasSaid()
		})
	}
}

func TestWhatIsWrongWithTheServiceIsToldAndNothingIsLost(t *testing.T) {
	refusing := func(condition string) func(*messengerd.Switches) {
		return func(sw *messengerd.Switches) { sw.SASLFailure.Condition, sw.SASLFailure.Always = condition, true }
	}
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	for _, c := range []struct {
		wrong  string
		change func(*messengerd.Switches)
		told   string
	}{
		{"a certificate of Microsoft's", func(sw *messengerd.Switches) { sw.Certificate = "gateway" }, "messenger-certificate"},
		{"another's certificate", func(sw *messengerd.Switches) { sw.Certificate = "wrong_name" }, "messenger-certificate"},
		{"an unknown authority", func(sw *messengerd.Switches) { sw.Certificate = "unknown_root" }, "messenger-certificate"},
		{"an old certificate", func(sw *messengerd.Switches) { sw.Certificate = "expired" }, "messenger-certificate"},
		{"no encryption", func(sw *messengerd.Switches) { sw.FeaturesBeforeTLS = "none" }, "messenger-no-tls"},
		{"another service", func(sw *messengerd.Switches) { sw.Mechanism = "other_only" }, "messenger-not-the-service"},
		{"a redirect to nowhere", func(sw *messengerd.Switches) { sw.RedirectTarget.Form = "empty" }, "messenger-connection-lost"},
		{"redirects without end", func(sw *messengerd.Switches) { sw.RedirectTarget.Form, sw.RedirectTarget.Loop = "ipv4", true }, "messenger-redirects"},
		{"a closed account", refusing("account-disabled"), "messenger-account-disabled"},
		{"a busy sign-in", refusing("temporary-auth-failure"), "messenger-service-busy"},
	} {
		t.Log(c.wrong)
		s.Switch(c.change)
		s.ConnectionBreaks()
		within(t, func(ctx context.Context) error {
			for ctx.Err() == nil {
				s.UserTellsBot("status")
				if status := s.BotSays("1000@messenger.example"); strings.Contains(status, c.told) && !strings.Contains(status, "— connected") {
					return nil
				}
			}
			return ctx.Err()
		})
		s.UserSends("mary", "a word despite "+c.wrong)
		s.ServiceSends("mary", "a word from behind "+c.wrong)
		s.Switch(func(sw *messengerd.Switches) { *sw = messengerd.DefaultSwitches() })
		s.UserTellsBot("reconnect")
		s.ContactReceives("mary", "a word despite "+c.wrong)
		s.RoomShows("mary", "a word from behind "+c.wrong)
	}
	s.NothingElseWasSaid()
}
