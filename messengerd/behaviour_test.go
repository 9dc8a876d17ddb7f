package messengerd_test

import (
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

func TestContactsThatDoSomethingByThemselves(t *testing.T) {
	cfg := people()
	friend := []messengerd.ContactConfig{{Account: "john@contoso.com"}}
	cfg.Accounts[1].Behaviour = "echo"
	cfg.Accounts = append(
		cfg.Accounts,
		messengerd.AccountConfig{Email: "cy@contoso.com", Name: "Cy", Contact: true, Behaviour: "script", Contacts: friend, Script: []messengerd.ScriptStep{
			{Presence: "busy", Status: "thinking"},
			{Typing: time.Millisecond, Say: "How are you?"},
			{Await: true},
			{Wait: time.Millisecond, Say: "Good to hear."},
		}},
		messengerd.AccountConfig{Email: "di@contoso.com", Name: "Di", Contact: true, Behaviour: "away_and_back", Period: 10 * time.Millisecond, Contacts: friend},
	)
	s := start(t, cfg)
	c := signIn(t, s, john, "r")
	c.send("<presence/>")
	c.await("the script's beginning", isMessage("How are you?"))
	cy, di := s.Account("cy@contoso.com").JID(), s.Account("di@contoso.com").JID()
	c.chat(mary, "m", "hello?")
	c.await("the echo", isMessage("hello?"))
	c.await("Di going away", func(n node) bool { return isPresence("", di)(n) && n.at("show").Text == "away" })
	c.await("Di going offline", isPresence("unavailable", di))
	c.await("Di coming back", isPresence("", di))
	c.chat(cy, "m", "fine")
	c.await("the script's end", isMessage("Good to hear."))
	if r := s.Account(cy).Received(); len(r) != 1 || r[0].Body != "fine" {
		t.Errorf("Cy received %v", r)
	}
	chat := texts(c.retrieve(cy, "").at("chat"))
	if len(chat) != 3 || chat[0] != "from How are you?" || chat[1] != "to fine" {
		t.Errorf("the conversation: %q", chat)
	}
}
