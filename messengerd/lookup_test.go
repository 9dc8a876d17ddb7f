package messengerd_test

import (
	"strings"
	"testing"

	"matrix-messenger/messengerd"
)

func TestLookupIsAnsweredByTheSwitch(t *testing.T) {
	const getjid = "<getjid xmlns='http://messenger.live.com/xmpp/jidlookup'/>"
	s := start(t, people())
	c := signIn(t, s, john, "r")
	froms := map[string]string{"email": "Mary@Contoso.com", "domain": "messenger.live.com", "own": john, "absent": ""}
	for form, from := range froms {
		if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.GetJID.ReplyFrom = form }); err != nil {
			t.Fatal(err)
		}
		if n, _ := c.iq("get", "Mary@Contoso.com", getjid); n.at("getjid", "jid").Text != mary || n.attr("from") != from {
			t.Errorf("%s: %v", form, n)
		}
	}
	if n, _ := c.iq("get", "nobody@contoso.com", getjid); n.condition() != "item-not-found" || !n.has("getjid") {
		t.Errorf("unknown: %v", n)
	}
	if n, _ := c.iq("get", "contoso.com", getjid); n.condition() != "jid-malformed" {
		t.Errorf("malformed: %v", n)
	}
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.GetJID.Unknown = "empty" }); err != nil {
		t.Fatal(err)
	}
	if n, _ := c.iq("get", "nobody@contoso.com", getjid); n.attr("type") != "result" || n.has("getjid", "jid") || !n.has("getjid") {
		t.Errorf("unknown: %v", n)
	}
}

func TestVCardsAreForContactsOnly(t *testing.T) {
	const get = "<vCard xmlns='vcard-temp'/>"
	cfg := people()
	cfg.Accounts[1].VCard = &messengerd.VCardConfig{FullName: "Mary Contoso", Given: "Mary", Nickname: "mary", PhotoData: []byte{0xff, 0xd8, 0xff}, PhotoType: "image/jpeg"}
	cfg.Accounts[0].NoVCard = true
	s := start(t, cfg)
	c := signIn(t, s, john, "r")
	n, _ := c.iq("get", mary, get)
	v := n.at("vCard")
	if v.at("FN").Text != "Mary Contoso" || v.at("N", "GIVEN").Text != "Mary" || v.at("NICKNAME").Text != "mary" || v.at("PHOTO", "BINVAL").Text != "/9j/" || n.attr("from") != mary {
		t.Errorf("Mary's: %v", n)
	}
	if n, _ := c.iq("get", anna, get); n.condition() != "service-unavailable" {
		t.Errorf("a stranger's: %v", n)
	}
	for absent, want := range map[string]string{"service-unavailable": "service-unavailable", "item-not-found": "item-not-found", "empty": ""} {
		if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.VCard.Absent = absent }); err != nil {
			t.Fatal(err)
		}
		n, _ := c.iq("get", "", get)
		if n.condition() != want || (want == "" && (n.attr("type") != "result" || !n.has("vCard"))) {
			t.Errorf("%s: %v", absent, n)
		}
	}
	for _, update := range []string{"not-allowed", "forbidden", "feature-not-implemented"} {
		if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.VCard.Update = update }); err != nil {
			t.Fatal(err)
		}
		if n, _ := c.iq("set", "", "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>"); n.condition() != update {
			t.Errorf("update: %v", n)
		}
	}
}

func TestLocalpartsAreByTheSwitch(t *testing.T) {
	for form, ok := range map[string]func(string) bool{
		"hex16":      func(l string) bool { return len(l) == 16 && strings.Trim(l, "0123456789abcdef") == "" },
		"decimal":    func(l string) bool { return len(l) == 5 && strings.Trim(l, "0123456789") == "" },
		"mixed_case": func(l string) bool { return strings.ToLower(l) != l && strings.ToUpper(l) != l },
	} {
		s := startWith(t, func(sw *messengerd.Switches) { sw.Localpart = form })
		a, err := s.AddAccount(messengerd.AccountConfig{Email: "new@contoso.com"})
		if err != nil {
			t.Fatal(err)
		}
		local, _, _ := strings.Cut(a.JID(), "@")
		if !ok(local) {
			t.Errorf("%s: %s", form, local)
		}
		c := online(t, s, "new@contoso.com", "r")
		if c.jid != a.JID()+"/r" {
			t.Errorf("bound %s", c.jid)
		}
		if err := s.Account(mary).SendMessage(strings.ToUpper(a.JID()), "whatever case"); err != nil {
			t.Errorf("addressed in upper case: %v", err)
		}
		c.await("the message", isMessage("whatever case"))
	}
}
