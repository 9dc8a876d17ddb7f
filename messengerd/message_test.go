package messengerd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"matrix-messenger/internal/testclock"
	"matrix-messenger/messengerd"
)

func (c *client) chat(to, id, body string) {
	c.t.Helper()
	c.send("<message type='chat' id='" + id + "' to='" + to + "'><body>" + body + "</body></message>")
}

func (c *client) retrieve(with, rest string) node {
	c.t.Helper()
	n, _ := c.iq("get", "", "<retrieve xmlns='urn:xmpp:archive' with='"+with+"' start='1970-01-01T00:00:00Z'>"+rest+"</retrieve>")
	return n
}

func maxOf(n int) string {
	return fmt.Sprintf("<set xmlns='http://jabber.org/protocol/rsm'><max>%d</max></set>", n)
}

// texts are the bodies of an archived chat, each with its direction in front.
func texts(chat node) (list []string) {
	for _, m := range chat.Nodes {
		if m.has("body") {
			list = append(list, m.XMLName.Local+" "+m.at("body").Text)
		}
	}
	return list
}

func TestAMessageGoesToEveryResourceAndToTheProgram(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "bridge")
	one, two := online(t, s, mary, "one"), online(t, s, mary, "two")
	c.chat(mary, "m1", "h&#xE4; &lt;b&gt; &amp; 😀&#10;second")
	want := "hä <b> & 😀\nsecond"
	for _, m := range []*client{one, two} {
		n := m.await("the message", isMessage(want))
		if n.attr("from") != john+"/bridge" || n.attr("type") != "chat" || n.attr("id") != "m1" || n.attr("to") != mary {
			t.Errorf("got %v", n)
		}
	}
	if r := s.Account(mary).Received(); len(r) != 1 || r[0].Body != want || r[0].ID != "m1" || r[0].From != john+"/bridge" {
		t.Errorf("the program received %v", r)
	}
	c.chat(mary+"/two", "m2", "only two")
	two.await("the message", isMessage("only two"))
	if n := count(one.sync(), isMessage("only two")); n != 0 {
		t.Error("a message to one resource came to another")
	}
	if got := c.sync(); count(got, isMessage("only two")) != 0 {
		t.Error("the message came back to its sender")
	}
	c.chat(mary+"/gone", "m3", "to a resource that is gone")
	one.await("the message", isMessage("to a resource that is gone"))
}

func TestMessagesForSomebodyOfflineAreStored(t *testing.T) {
	s := start(t, people())
	m := s.Account(mary)
	for i := range 3 {
		if err := m.SendMessage(john, fmt.Sprint("stored ", i)); err != nil {
			t.Fatal(err)
		}
	}
	c := signIn(t, s, john, "r")
	if got := c.sync(); len(got) != 0 {
		t.Errorf("something came before the initial presence: %v", got)
	}
	c.send("<presence/>")
	got := c.sync()
	i := 0
	for _, n := range got {
		if n.XMLName.Local != "message" {
			continue
		}
		d := n.at("delay")
		if n.at("body").Text != fmt.Sprint("stored ", i) || d.XMLName.Space != "urn:xmpp:delay" || d.attr("from") != "messenger.live.com" || d.Text != "Offline Storage" {
			t.Errorf("message %d: %v", i, n)
		}
		if _, err := time.Parse("2006-01-02T15:04:05Z", d.attr("stamp")); err != nil {
			t.Error(err)
		}
		i++
	}
	if i != 3 {
		t.Fatalf("%d of 3 messages: %v", i, got)
	}
	if err := m.SendMessage(john, "live"); err != nil {
		t.Fatal(err)
	}
	if n := c.await("a live message", isMessage("live")); n.has("delay") {
		t.Error("a live message has a delay")
	}
	again := online(t, s, john, "again")
	if n := count(again.sync(), func(n node) bool { return n.XMLName.Local == "message" }); n != 0 {
		t.Error("stored messages came twice")
	}
}

func TestANegativePriorityTakesNoMessages(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	c.send("<presence><priority>-1</priority></presence>")
	c.sync()
	if err := s.Account(mary).SendMessage(john, "later"); err != nil {
		t.Fatal(err)
	}
	if n := count(c.sync(), isMessage("later")); n != 0 {
		t.Error("delivered to a negative priority")
	}
	other := signIn(t, s, john, "other")
	other.send("<presence/>")
	other.await("the stored message", isMessage("later"))
}

func TestAnInvisibleStreamReceivesByTheSwitch(t *testing.T) {
	for value, want := range map[string]int{"receives": 1, "stored": 0} {
		t.Run(value, func(t *testing.T) {
			s := startWith(t, func(sw *messengerd.Switches) { sw.Presence.Invisible = value })
			c := online(t, s, john, "r")
			c.send("<presence type='unavailable'/>")
			c.sync()
			if err := s.Account(mary).SendMessage(john, "psst"); err != nil {
				t.Fatal(err)
			}
			if n := count(c.sync(), isMessage("psst")); n != want {
				t.Errorf("%d messages", n)
			}
			c.send("<presence/>")
			if n := count(c.sync(), isMessage("psst")); n != 1-want {
				t.Errorf("%d messages after coming back", n)
			}
		})
	}
}

func TestUndeliverableMessagesAreAnswered(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	for to, want := range map[string]string{
		"9999@messenger.live.com": "service-unavailable", "someone@example.org": "remote-server-not-found",
		"mary@contoso.com": "remote-server-not-found", "@@": "jid-malformed", "messenger.live.com": "service-unavailable",
	} {
		c.chat(to, "m", "x")
		n := c.next()
		if n.XMLName.Local != "message" || n.attr("type") != "error" || n.attr("id") != "m" || n.condition() != want || n.attr("from") != to || n.at("body").Text != "x" {
			t.Errorf("%s: %v", to, n)
		}
	}
	for _, kind := range []string{"", "normal", "headline", "groupchat"} {
		c.send("<message type='" + kind + "' id='n' to='" + mary + "'><body>x</body></message>")
		if n := c.next(); n.condition() != "feature-not-implemented" {
			t.Errorf("%q: %v", kind, n)
		}
	}
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.Messages.OtherTypes = "dropped" }); err != nil {
		t.Fatal(err)
	}
	c.send("<message id='n' to='" + mary + "'><body>x</body></message>")
	if got := c.sync(); len(got) != 0 {
		t.Errorf("dropped: %v", got)
	}
}

func TestChatStatesArePassedOnByTheSwitch(t *testing.T) {
	s := start(t, people())
	c, m := online(t, s, john, "r"), online(t, s, mary, "m")
	if err := s.Account(mary).SetTyping(john, "composing"); err != nil {
		t.Fatal(err)
	}
	c.await("typing", func(n node) bool {
		return n.XMLName.Local == "message" && n.has("composing") && !n.has("body") && strings.HasPrefix(n.attr("from"), mary+"/")
	})
	const state = "<message type='chat' to='" + mary + "'><paused xmlns='http://jabber.org/protocol/chatstates'/></message>"
	c.send(state)
	m.await("paused", func(n node) bool { return n.has("paused") })
	if got := s.Account(mary).Typing(john); got != "paused" {
		t.Errorf("the program saw %q", got)
	}
	if err := s.SetSwitches(func(sw *messengerd.Switches) { sw.Messages.ChatStates = "dropped" }); err != nil {
		t.Fatal(err)
	}
	c.send(state)
	c.sync()
	if got := m.sync(); len(got) != 0 {
		t.Errorf("passed on: %v", got)
	}
	if err := s.Account(mary).SetTyping(john, "dancing"); err == nil {
		t.Error("an unknown state was taken")
	}
}

func TestTheUsersOwnMessagesFromAnotherClientShowInTheArchiveOnly(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	if err := s.Account(john).SendMessage(mary, "from my phone"); err != nil {
		t.Fatal(err)
	}
	if got := c.sync(); len(got) != 0 {
		t.Errorf("echoed: %v", got)
	}
	if r := s.Account(mary).Received(); len(r) != 1 || r[0].Body != "from my phone" {
		t.Errorf("Mary received %v", r)
	}
	if got := texts(c.retrieve(mary, "").at("chat")); strings.Join(got, ";") != "to from my phone" {
		t.Errorf("archive: %q", got)
	}
}

func TestTheArchiveGivesTheLatestMessagesOldestFirst(t *testing.T) {
	cl := testclock.New(time.Now())
	s := start(t, people(), messengerd.WithClock(cl.Now))
	c := online(t, s, john, "r")
	for i := range 12 {
		cl.Advance(11 * time.Second)
		if i%2 == 0 {
			c.chat(mary, "m", fmt.Sprint(i))
			c.sync()
		} else if err := s.Account(mary).SendMessage(john, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	chat := c.retrieve(mary+"/ignored", "<set xmlns='http://jabber.org/protocol/rsm'><after>5</after></set>").at("chat")
	if got := strings.Join(texts(chat), ";"); got != "to 2;from 3;to 4;from 5;to 6;from 7;to 8;from 9;to 10;from 11" {
		t.Errorf("archive: %s", got)
	}
	if chat.attr("with") != mary || chat.Nodes[0].attr("secs") != "0" || chat.Nodes[1].attr("secs") != "11" || chat.at("set", "count").Text != "10" {
		t.Errorf("chat: %v", chat)
	}
	begin, err := time.Parse(time.RFC3339, chat.attr("start"))
	if err != nil || cl.Now().Sub(begin) < 98*time.Second || cl.Now().Sub(begin) > 100*time.Second {
		t.Errorf("start %s, now %v: %v", chat.attr("start"), cl.Now(), err)
	}
	if got := strings.Join(texts(c.retrieve(mary, maxOf(2)).at("chat")), ";"); got != "to 10;from 11" {
		t.Errorf("max 2: %s", got)
	}
	if got := len(texts(c.retrieve(mary, maxOf(50)).at("chat"))); got != 10 {
		t.Errorf("max 50: %d", got)
	}
	m := signIn(t, s, mary, "m")
	if got := strings.Join(texts(m.retrieve(john, maxOf(2)).at("chat")), ";"); got != "from 10;to 11" {
		t.Errorf("Mary's side: %s", got)
	}
	if n, _ := c.iq("get", "", "<list xmlns='urn:xmpp:archive'/>"); len(n.at("list").Nodes) != 1 || n.at("list", "chat").attr("with") != mary {
		t.Errorf("list: %v", n)
	}
	for _, command := range []string{"save", "remove", "pref", "auto", "modified"} {
		if n, _ := c.iq("set", "", "<"+command+" xmlns='urn:xmpp:archive'/>"); n.condition() != "feature-not-implemented" {
			t.Errorf("%s: %v", command, n)
		}
	}
	if n, _ := c.iq("get", "", "<retrieve xmlns='urn:xmpp:archive' with='"+mary+"'/>"); n.condition() != "bad-request" {
		t.Errorf("without start: %v", n)
	}
}

func TestTheArchiveIsByItsSwitches(t *testing.T) {
	cl := testclock.New(time.Now())
	cfg := people()
	s := start(t, cfg, messengerd.WithClock(cl.Now))
	c := signIn(t, s, john, "r")
	set := func(change func(*messengerd.Switches)) {
		if err := s.SetSwitches(change); err != nil {
			t.Fatal(err)
		}
	}
	const list = "<list xmlns='urn:xmpp:archive' with='" + mary + "'/>"
	empty := map[string]func(n node) bool{
		"chat":           func(n node) bool { return n.has("chat") && len(n.at("chat").Nodes) == 0 },
		"iq":             func(n node) bool { return n.attr("type") == "result" && len(n.Nodes) == 0 },
		"list":           func(n node) bool { return n.has("list") && len(n.at("list").Nodes) == 0 },
		"item-not-found": func(n node) bool { return n.condition() == "item-not-found" },
	}
	for form, ok := range empty {
		set(func(sw *messengerd.Switches) { sw.EmptyArchive = form })
		if n := c.retrieve(mary, ""); !ok(n) {
			t.Errorf("%s: %v", form, n)
		}
	}
	for i, pause := range []time.Duration{0, time.Minute, 2 * time.Hour, time.Minute} {
		cl.Advance(pause)
		if err := s.AddHistory(john, mary, fmt.Sprint(i), cl.Now()); err != nil {
			t.Fatal(err)
		}
	}
	set(func(sw *messengerd.Switches) { sw.Archive.Split, sw.Archive.Start = time.Hour, "enforced" })
	n, _ := c.iq("get", "", list)
	chats := n.at("list").Nodes
	if len(chats) != 2 {
		t.Fatalf("collections: %v", n)
	}
	for i, want := range []string{"to 0;to 1", "to 2;to 3"} {
		n, _ := c.iq("get", "", "<retrieve xmlns='urn:xmpp:archive' with='"+mary+"' start='"+chats[i].attr("start")+"'/>")
		if got := strings.Join(texts(n.at("chat")), ";"); got != want || n.at("chat").attr("start") != chats[i].attr("start") {
			t.Errorf("collection %d: %v", i, n)
		}
	}
	if n := c.retrieve(mary, ""); len(texts(n.at("chat"))) != 0 || n.condition() != "item-not-found" && !n.has("chat") && !n.has("list") && n.attr("type") != "result" {
		t.Errorf("another start: %v", n)
	}
	set(func(sw *messengerd.Switches) { sw.Archive.Start, sw.Archive.Messages = "ignored", 3 })
	if got := len(texts(c.retrieve(mary, "").at("chat"))); got != 3 {
		t.Errorf("at most 3: %d", got)
	}
	for commands, want := range map[string][2]bool{"both": {true, true}, "retrieve": {true, false}, "list": {false, true}, "off": {false, false}} {
		set(func(sw *messengerd.Switches) { sw.Archive.Commands = commands })
		l, _ := c.iq("get", "", list)
		if got := [2]bool{c.retrieve(mary, "").attr("type") == "result", l.attr("type") == "result"}; got != want {
			t.Errorf("%s: %v", commands, got)
		}
	}
}

func TestOneSideThatKeepsHistoryIsEnough(t *testing.T) {
	no := false
	for _, test := range []struct {
		john, mary bool
		want       int
	}{{true, true, 1}, {false, true, 1}, {true, false, 1}, {false, false, 0}} {
		cfg := people()
		if !test.john {
			cfg.Accounts[0].KeepHistory = &no
		}
		if !test.mary {
			cfg.Accounts[1].KeepHistory = &no
		}
		s := start(t, cfg)
		if err := s.Account(mary).SendMessage(john, "x"); err != nil {
			t.Fatal(err)
		}
		if got := len(texts(signIn(t, s, john, "r").retrieve(mary, "").at("chat"))); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}
