package messengerd_test

import (
	"context"
	"strings"
	"testing"

	"matrix-messenger/messengerd"
)

const nickNS = "http://jabber.org/protocol/nick"

func isPush(jid, subscription, ask string) func(node) bool {
	return func(n node) bool {
		i := n.at("query", "item")
		return n.XMLName.Local == "iq" && n.attr("type") == "set" && i.attr("jid") == jid && i.attr("subscription") == subscription && i.attr("ask") == ask
	}
}

func rosterItem(n node, jid string) node {
	for _, i := range n.at("query").Nodes {
		if i.attr("jid") == jid {
			return i
		}
	}
	return node{}
}

func (c *client) roster() node {
	c.t.Helper()
	n, _ := c.iq("get", "", "<query xmlns='jabber:iq:roster'/>")
	return n
}

func TestAnInvitationIsDeliveredAtEverySignInUntilAnswered(t *testing.T) {
	s := start(t, people())
	s.Account(anna).Invite("john@contoso.com", "Anna A.", "We met")
	isInvite := func(n node) bool {
		return isPresence("subscribe", anna)(n) && n.at("nick").Text == "Anna A." && n.at("nick").XMLName.Space == nickNS && n.at("status").Text == "We met"
	}
	for range 2 {
		c := signIn(t, s, john, "r")
		if rosterItem(c.roster(), anna).attr("jid") != "" {
			t.Error("a pending invitation is shown in the roster")
		}
		c.send("<presence/>")
		if n := count(c.sync(), isInvite); n != 1 {
			t.Fatalf("%d invitations", n)
		}
		c.send("</stream:stream>")
		c.ended()
	}
	c := signIn(t, s, john, "r")
	c.roster()
	c.send("<presence/>")
	c.await("the invitation", isInvite)
	c.send("<presence type='subscribed' to='" + anna + "'/>")
	c.await("the push", isPush(anna, "both", ""))
	got := c.sync()
	if count(got, isPresence("", anna+"/")) != 1 {
		t.Errorf("Anna's presence does not come: %v", got)
	}
	c.send("<presence type='subscribe' to='" + anna + "'/>")
	if got := c.sync(); len(got) != 0 {
		t.Errorf("a subscribe between contacts is not silent: %v", got)
	}
	if list := s.Account(anna).Contacts(); len(list) != 1 || list[0].Subscription != "both" {
		t.Errorf("Anna's roster: %v", list)
	}
}

func TestDecliningAnInvitationIsAlwaysPossible(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	s.Account(anna).Invite(john, "", "")
	c.await("the invitation", isPresence("subscribe", anna))
	c.send("<presence type='unsubscribed' to='" + anna + "'/>")
	c.sync()
	if list := s.Account(anna).Contacts(); len(list) != 1 || list[0].Subscription != "none" || list[0].Ask != "" {
		t.Errorf("Anna's roster: %v", list)
	}
	s.Account(anna).Invite(john, "", "")
	c.await("the second invitation", isPresence("subscribe", anna))
}

func TestAContactIsAddedBySetAndSubscribe(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	n, before := c.iq("set", "", "<query xmlns='jabber:iq:roster'><item jid='"+anna+"' name='Anna'/></query>")
	if n.attr("type") != "result" || count(before, isPush(anna, "none", "")) != 1 {
		t.Fatalf("set: %v, %v", before, n)
	}
	c.send("<presence type='subscribe' to='" + anna + "'><nick xmlns='" + nickNS + "'>Johnny</nick></presence>")
	c.await("the push", isPush(anna, "none", "subscribe"))
	if list := s.Account(anna).Contacts(); len(list) != 1 || !list[0].Invites {
		t.Fatalf("Anna was not invited: %v", list)
	}
	s.Account(anna).Accept(john)
	c.await("subscribed, first", func(n node) bool {
		if isPush(anna, "both", "")(n) {
			t.Error("the push came before the presence")
		}
		return isPresence("subscribed", anna)(n)
	})
	c.await("then the push", isPush(anna, "both", ""))
	if got := c.sync(); count(got, isPresence("", anna+"/")) != 1 {
		t.Errorf("Anna's presence: %v", got)
	}
}

func TestWithoutMutualContactsTheTablesApplyLiterally(t *testing.T) {
	s := startWith(t, func(sw *messengerd.Switches) { sw.MutualContacts = false })
	c := online(t, s, john, "r")
	s.Account(anna).Invite(john, "", "")
	c.await("the invitation", isPresence("subscribe", anna))
	c.send("<presence type='subscribed' to='" + anna + "'/>")
	c.await("the push", isPush(anna, "from", ""))
	c.send("<presence type='subscribe' to='" + anna + "'/>")
	c.await("the push", isPush(anna, "from", "subscribe"))
	// Anna's side is "to" by now, so this is one more invitation there.
	s.Account(anna).Accept(john)
	c.await("the push", isPush(anna, "both", ""))
}

func TestRosterChangesAreRefusedByTheSwitch(t *testing.T) {
	item := func(attrs string) string {
		return "<query xmlns='jabber:iq:roster'><item " + attrs + "</query>"
	}
	remove := item("jid='" + mary + "' subscription='remove'/>")
	rename := item("jid='" + mary + "' name='Other'/>")
	for _, refusal := range []string{"not-allowed", "feature-not-implemented", "service-unavailable"} {
		t.Run(refusal, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.RosterRefusal = refusal })
			c := online(t, s, john, "r")
			for _, set := range []string{remove, rename} {
				if n, before := c.iq("set", "", set); n.condition() != refusal || n.at("error").attr("type") != "cancel" || len(before) != 0 {
					t.Errorf("%s: %v %v", set, n, before)
				}
			}
			if i := rosterItem(c.roster(), mary); i.attr("name") != "Mary" || i.attr("subscription") != "both" {
				t.Errorf("the roster changed: %v", i)
			}
		})
	}
	t.Run("silence", func(t *testing.T) {
		s := startWith(t, func(sw *messengerd.Switches) { sw.RosterRefusal = "silence" })
		c := online(t, s, john, "r")
		c.send("<iq type='set' id='x'>" + remove + "</iq>")
		if got := c.sync(); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("carried out", func(t *testing.T) {
		s := startWith(t, func(sw *messengerd.Switches) { sw.RosterRefusal = "carried_out" })
		c := online(t, s, john, "r")
		if n, before := c.iq("set", "", rename); n.attr("type") != "result" || len(before) != 1 || before[0].at("query", "item").attr("name") != "Other" {
			t.Errorf("rename: %v %v", before, n)
		}
		n, before := c.iq("set", "", remove)
		if n.attr("type") != "result" || count(before, isPush(mary, "remove", "")) != 1 {
			t.Errorf("remove: %v %v", before, n)
		}
		if rosterItem(c.roster(), mary).attr("jid") != "" {
			t.Error("still in the roster")
		}
	})
	t.Run("malformed", func(t *testing.T) {
		s := start(t, people())
		c := online(t, s, john, "r")
		for set, want := range map[string]string{
			"<query xmlns='jabber:iq:roster'/>": "bad-request",
			"<query xmlns='jabber:iq:roster'><item jid='a@messenger.live.com'/><item jid='b@messenger.live.com'/></query>": "bad-request",
			item("jid='@@'/>"): "bad-request",
			item("jid='a@messenger.live.com'><group>x</group><group>x</group></item>"):    "bad-request",
			item("jid='a@messenger.live.com'><group/></item>"):                            "not-acceptable",
			item("jid='a@messenger.live.com' name='" + strings.Repeat("n", 2000) + "'/>"): "not-acceptable",
			item("jid='" + john + "'/>"):                                                  "not-allowed",
		} {
			if n, _ := c.iq("set", "", set); n.condition() != want {
				t.Errorf("%.100s: %v", set, n)
			}
		}
	})
}

func TestAddingContactsIsByTheSwitch(t *testing.T) {
	set := "<query xmlns='jabber:iq:roster'><item jid='" + anna + "'/></query>"
	subscribe := "<presence type='subscribe' to='" + anna + "'/>"
	for value, want := range map[string]struct{ set, subscribe bool }{
		"allowed": {true, true}, "refused": {false, false}, "set_without_effect": {false, true}, "subscribe_without_effect": {true, false},
	} {
		t.Run(value, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.AddingContacts = value })
			c := online(t, s, john, "r")
			n, before := c.iq("set", "", set)
			if got := count(before, isPush(anna, "none", "")) == 1; got != want.set {
				t.Errorf("push: %v", got)
			}
			if refused := n.attr("type") == "error"; refused != (value == "refused") {
				t.Errorf("set: %v", n)
			}
			c.send(subscribe)
			c.sync()
			if got := len(s.Account(anna).Contacts()) == 1; got != want.subscribe {
				t.Errorf("invited: %v", got)
			}
		})
	}
}

func TestRefusedPresenceTypesAreByTheSwitch(t *testing.T) {
	for _, value := range []string{"ignored", "error", "carried_out"} {
		t.Run(value, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.RefusedPresence = value })
			c := online(t, s, john, "r")
			c.send("<presence type='unsubscribe' id='u' to='" + mary + "'/>")
			got := c.sync()
			errors := count(got, func(n node) bool { return isPresence("error", mary)(n) && n.condition() == "not-allowed" })
			pushes := count(got, isPush(mary, "from", ""))
			if errors != map[string]int{"error": 1}[value] || pushes != map[string]int{"carried_out": 1}[value] {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAContactAddedByAddressNeverShowsPresence(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	if n, _ := c.iq("set", "", "<query xmlns='jabber:iq:roster'><item jid='anna@contoso.com'/></query>"); n.attr("type") != "result" {
		t.Fatalf("set: %v", n)
	}
	c.send("<presence type='subscribe' to='anna@contoso.com'/>")
	c.sync()
	if rosterItem(c.roster(), "anna@contoso.com").attr("jid") == "" {
		t.Error("the item was not kept")
	}
	if len(s.Account(anna).Contacts()) != 0 {
		t.Error("Anna was invited all the same")
	}
	if err := s.Account(anna).SetPresence("busy", ""); err != nil {
		t.Fatal(err)
	}
	if got := c.sync(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestTheRelationFollowsTheOrdinaryProgramOfTheContact(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	s.Account(mary).Remove(john)
	got := c.sync()
	for what, match := range map[string]func(node) bool{
		"unsubscribe": isPresence("unsubscribe", mary), "unsubscribed": isPresence("unsubscribed", mary),
		"unavailable": isPresence("unavailable", mary+"/"), "the last push": isPush(mary, "none", ""),
	} {
		if count(got, match) != 1 {
			t.Errorf("%s is missing: %v", what, got)
		}
	}
	if len(s.Account(mary).Contacts()) != 0 {
		t.Error("Mary's roster still has John")
	}
}

func TestPresenceGoesToContactsAndBackToOneself(t *testing.T) {
	s := start(t, people())
	first := online(t, s, john, "one")
	m := online(t, s, mary, "hers")
	second := online(t, s, john, "two")
	first.sync()
	m.sync()
	second.send("<presence><show>dnd</show><status>busy &amp; so</status><priority>5</priority></presence>")
	match := func(n node) bool {
		return isPresence("", john+"/two")(n) && n.at("show").Text == "dnd" && n.at("status").Text == "busy & so"
	}
	for _, c := range []*client{first, second, m} {
		c.await("John's presence", match)
	}
	second.send("<presence type='unavailable'/>")
	m.await("John going", isPresence("unavailable", john+"/two"))
	if err := second.conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.conn.Close(); err != nil {
		t.Fatal(err)
	}
	m.await("the other resource going without a word", isPresence("unavailable", john+"/one"))
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.Presence.Own = "not_sent" }); err != nil {
		t.Fatal(err)
	}
	third := signIn(t, s, john, "three")
	third.send("<presence/>")
	if got := count(third.sync(), isPresence("", john)); got != 0 {
		t.Error("own presence came back")
	}
}

func TestAProbeIsIgnoredOrRefused(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	c.send("<presence type='probe' to='" + mary + "'/>")
	if got := c.sync(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.Presence.Probe = "feature-not-implemented" }); err != nil {
		t.Fatal(err)
	}
	c.send("<presence type='probe' to='" + mary + "'/>")
	if got := c.sync(); len(got) != 1 || got[0].condition() != "feature-not-implemented" {
		t.Errorf("got %v", got)
	}
}

func TestAnInvitedProgramMayAnswerByItself(t *testing.T) {
	for how, want := range map[string]string{"accept": "both", "decline": "none"} {
		cfg := people()
		cfg.Accounts[2].Invitations = how
		s := start(t, cfg)
		c := online(t, s, john, "r")
		c.send("<presence type='subscribe' to='" + anna + "'/>")
		c.await("the answer", isPush(anna, want, ""))
	}
}

func TestWaitReceivedEndsWithItsContext(t *testing.T) {
	s := start(t, people())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Account(mary).WaitReceived(ctx, 1); err == nil {
		t.Error("no error although nothing arrived")
	}
}

func TestAChangeOfAnAccountCanBeAwaited(t *testing.T) {
	s := start(t, people())
	a := s.Account(john)
	waited := make(chan error)
	go func() { waited <- a.WaitOnline(t.Context()) }()
	c := online(t, s, john, "r")
	if err := <-waited; err != nil {
		t.Error(err)
	}
	go func() { waited <- a.Wait(t.Context(), func() bool { return len(a.Sessions()) == 0 }) }()
	_ = c.conn.Close()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	go func() {
		waited <- a.Wait(t.Context(), func() bool { list := a.Contacts(); return list[len(list)-1].Invites })
	}()
	s.Account(anna).Invite(john, "", "")
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
