package bridge

import (
	"context"
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"

	bridgedb "maunium.net/go/mautrix/bridgev2/database"

	"matrix-messenger/database"
)

func listed(subscription, ask string) database.Contact {
	return database.Contact{RosterItem: database.RosterItem{JID: "mary@example.com", Subscription: subscription, Ask: ask}, InRoster: true}
}

func TestWhoseRequestIsNoInvitation(t *testing.T) {
	for name, c := range map[string]struct {
		contact                      database.Contact
		contactOf, invited, approves bool
	}{
		"a stranger":                      {database.Contact{}, false, false, false},
		"somebody known from before":      {database.Contact{RosterItem: database.RosterItem{Subscription: "both"}}, false, false, false},
		"on the list without relation":    {listed("none", ""), false, false, false},
		"asked by the user":               {listed("none", "subscribe"), false, true, true},
		"who sees the user":               {listed("from", ""), false, false, true},
		"who sees the user and was asked": {listed("from", "subscribe"), false, true, true},
		"whom the user sees":              {listed("to", ""), true, false, true},
		"a contact":                       {listed("both", ""), true, false, true},
	} {
		if got := isContact(c.contact); got != c.contactOf {
			t.Errorf("%s: isContact is %v", name, got)
		}
		if got := isInvited(c.contact); got != c.invited {
			t.Errorf("%s: isInvited is %v", name, got)
		}
		if got := relation(c.contact).Approves(); got != c.approves {
			t.Errorf("%s: approves is %v", name, got)
		}
	}
}

func TestNamesInTheirOrder(t *testing.T) {
	contact := database.Contact{RosterItem: database.RosterItem{JID: "12345@messenger.live.com", Name: "Roster"}, VCardName: "Card", Nick: "Nick"}
	for _, want := range []string{"Roster", "Card", "Nick", "12345"} {
		if got := plainName(contact); got != want {
			t.Errorf("the name is %q instead of %q", got, want)
		}
		switch want {
		case "Roster":
			contact.Name = " \n"
		case "Card":
			contact.VCardName = ""
		case "Nick":
			contact.Nick = ""
		}
	}
}

func TestWhomACommandMeans(t *testing.T) {
	one := &Client{login: &bridgev2.UserLogin{UserLogin: &bridgedb.UserLogin{ID: "one@example.com"}}}
	two := &Client{login: &bridgev2.UserLogin{UserLogin: &bridgedb.UserLogin{ID: "two@example.com"}}}
	all := []candidate{
		{one, "1@example.com", "Mary", "mary@contoso.com"},
		{one, "2@example.com", "John  Doe", ""},
		{two, "3@example.com", "mary", ""},
	}
	for text, want := range map[string]string{
		"1@EXAMPLE.com": "1@example.com", "xmpp:2@example.com": "2@example.com", "Mary@contoso.com": "1@example.com", " john doe ": "2@example.com",
		"Mary": "!may mean any of these", "Nobody": "!There is no contact called “Nobody”", "": "!Please say whom you mean",
	} {
		got, err := who(&commands.Event{Command: "accept"}, all, text, "contact")
		if sentence, wantError := strings.CutPrefix(want, "!"); wantError {
			if err == nil || !strings.Contains(err.Error(), sentence) {
				t.Errorf("%q: %v", text, err)
			}
		} else if err != nil || got.jid != want {
			t.Errorf("%q means %q, %v", text, got.jid, err)
		}
	}
	inChat := &commands.Event{Portal: &bridgev2.Portal{Portal: &bridgedb.Portal{PortalKey: networkid.PortalKey{ID: "2@example.com", Receiver: "one@example.com"}}}}
	if got, err := who(inChat, all, "", "contact"); err != nil || got.jid != "2@example.com" {
		t.Errorf("in a chat: %q, %v", got.jid, err)
	}
}

func TestAKnownPictureIsNotUploadedAgain(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	known := database.Contact{PhotoHash: hash, AvatarMXC: "mxc://example.org/abc"}
	if got := avatar(hash, known, []byte("x")); got.Get != nil || got.MXC != "mxc://example.org/abc" || got.Hash[0] != 0xab {
		t.Errorf("the same picture: %+v", got)
	}
	other := strings.Repeat("cd", 32)
	got := avatar(other, known, []byte("x"))
	if got.Get == nil || got.MXC != "" || string(got.ID) != other {
		t.Fatalf("another picture: %+v", got)
	}
	if data, err := got.Get(context.Background()); err != nil || string(data) != "x" {
		t.Errorf("its data: %q, %v", data, err)
	}
	if got := avatar("", known, nil); got == nil || !got.Remove {
		t.Errorf("no picture any more: %+v", got)
	}
	if got := avatar("", database.Contact{}, nil); got != nil {
		t.Errorf("never a picture: %+v", got)
	}
}

func TestSomebodyWithoutANameIsCalledByTheirAddressTowardsTheUserOnly(t *testing.T) {
	contact := database.Contact{RosterItem: database.RosterItem{JID: "12345@messenger.live.com"}, Email: "mary@contoso.com"}
	if private, public := privateName(contact), plainName(contact); private != "mary@contoso.com" || public != "12345" {
		t.Errorf("called %q privately and %q otherwise", private, public)
	}
	contact.Nick = "Mary"
	if private := privateName(contact); private != "Mary" {
		t.Errorf("called %q privately although there is a name", private)
	}
}

func TestAPersonIsMeantByWholeWordsOfTheName(t *testing.T) {
	mary := candidate{jid: "12345@messenger.live.com", name: "Mary  Ann Contoso", email: "mary@contoso.com"}
	for text, want := range map[string][2]bool{ // means, resembles
		"mary ann contoso":         {true, true},
		"MARY@contoso.com":         {true, false},
		"12345@messenger.live.com": {true, false},
		"mary":                     {false, true},
		"Contoso Mary":             {false, true},
		"mar":                      {false, false},
		"mary smith":               {false, false},
		" ":                        {false, false},
	} {
		if got := [2]bool{mary.means(text), mary.resembles(text)}; got != want {
			t.Errorf("%q: %v instead of %v", text, got, want)
		}
	}
}
