package scenario_test

import (
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
