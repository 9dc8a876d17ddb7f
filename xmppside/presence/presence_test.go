package presence

import (
	"encoding/xml"
	"strings"
	"testing"

	"mellium.im/xmpp/stanza"
)

func read(t *testing.T, in string) Stanza {
	t.Helper()
	var s Stanza
	if err := xml.Unmarshal([]byte(in), &s); err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return s
}

func TestWhatAContactShows(t *testing.T) {
	for _, c := range []struct {
		name, attrs, children string
		want                  State
	}{
		{"available", ``, ``, State{Available: true}},
		{"busy", ``, `<show>dnd</show>`, State{Available: true, Show: DND}},
		{"away with a message", ``, "<show> Away\n</show><status>out\nto  lunch</status><priority>1</priority>", State{Available: true, Show: Away, Status: "out to lunch"}},
		{"long away", ``, `<show>xa</show>`, State{Available: true, Show: XA}},
		{"free for chat", ``, `<show>chat</show>`, State{Available: true, Show: Chat}},
		{"an unknown value is online", ``, `<show>dancing</show>`, State{Available: true}},
		{"a value of another namespace is none", ``, `<show xmlns="urn:x">dnd</show>`, State{Available: true}},
		{"gone", ` type="unavailable"`, `<show>dnd</show><status>bye</status>`, State{Status: "bye"}},
		{"the message without a language wins", ``, `<status xml:lang="de">weg</status><status>away</status>`, State{Available: true, Status: "away"}},
		{"else the first one", ``, `<status xml:lang="fr"> </status><status xml:lang="de">weg</status><status xml:lang="en">away</status>`, State{Available: true, Status: "weg"}},
		{"a message of any length", ``, `<status>` + strings.Repeat("é", 5000) + `</status>`, State{Available: true, Status: strings.Repeat("é", MaxStatus/2)}},
		{"extensions are no matter", ``, `<x xmlns="vcard-temp:x:update"><photo/></x><c xmlns="http://jabber.org/protocol/caps" ver="x"/>`, State{Available: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(t, `<presence xmlns="jabber:client" from="a@messenger.live.com/RES" to="u@messenger.live.com/R"`+c.attrs+`>`+c.children+`</presence>`)
			if !s.Type.IsState() || s.Type.IsSubscription() || s.From != "a@messenger.live.com/RES" {
				t.Errorf("%+v", s)
			}
			if got := s.State(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAnInvitationCarriesAName(t *testing.T) {
	s := read(t, `<presence xmlns="jabber:client" type="subscribe" from="i@messenger.live.com"><nick xmlns="http://jabber.org/protocol/nick">Mary Contoso</nick><status>It's me</status></presence>`)
	if s.Type != Subscribe || !s.Type.IsSubscription() || s.Nick.Name() != "Mary Contoso" || s.Status() != "It's me" {
		t.Errorf("%+v", s)
	}
}

func TestPresenceErrors(t *testing.T) {
	s := read(t, `<presence xmlns="jabber:client" type="error" from="i@x.org"><error type="cancel"><not-allowed xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></presence>`)
	if s.Type != Error || s.Type.IsState() || s.Err().Condition != stanza.NotAllowed {
		t.Errorf("%+v", s)
	}
	if s := read(t, `<presence xmlns="jabber:client" type="error"/>`); s.Err().Condition != stanza.UndefinedCondition {
		t.Errorf("%+v", s)
	}
}

func TestOwnPresence(t *testing.T) {
	for _, c := range []struct {
		state State
		want  string
	}{
		{State{Available: true}, `<presence/>`},
		{State{Available: true, Show: Away, Status: "a<b\nc"}, `<presence><show>away</show><status>a&lt;b c</status></presence>`},
		{State{Available: true, Show: "</show>"}, `<presence/>`},
		{State{}, `<presence type="unavailable"/>`},
		{State{Show: DND, Status: "bye"}, `<presence type="unavailable"><status>bye</status></presence>`},
	} {
		got := string(Append(nil, c.state))
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.state, got, c.want)
		}
	}
}

func TestSubscriptionStanzas(t *testing.T) {
	for _, c := range []struct {
		typ  Type
		want string
	}{
		{Subscribe, `<presence type="subscribe" to="i@x.org"><status>hi</status><nick xmlns="http://jabber.org/protocol/nick">J &amp; C</nick></presence>`},
		{Subscribed, `<presence type="subscribed" to="i@x.org"><status>hi</status></presence>`},
		{Unsubscribe, `<presence type="unsubscribe" to="i@x.org"><status>hi</status></presence>`},
		{Unsubscribed, `<presence type="unsubscribed" to="i@x.org"><status>hi</status></presence>`},
		{"probe", ``},
		{Error, ``},
	} {
		if got := string(AppendSubscription(nil, c.typ, "i@x.org/R", "J & C", "hi")); got != c.want {
			t.Errorf("%s: %s", c.typ, got)
		}
	}
}

func FuzzStanza(f *testing.F) {
	f.Add(`<presence xmlns="jabber:client" type="subscribe"><show>dnd</show><status xml:lang="de">x</status><error/></presence>`)
	f.Fuzz(func(t *testing.T, in string) {
		var s Stanza
		if xml.Unmarshal([]byte(in), &s) != nil {
			return
		}
		state := s.State()
		if len(state.Status) > MaxStatus || len(s.Nick.Name()) > 256 {
			t.Errorf("%+v", state)
		}
		_ = s.Err()
		own := strings.Replace(string(Append(nil, state)), "<presence", `<presence xmlns="jabber:client"`, 1)
		if again := read(t, own); again.State() != state {
			t.Errorf("%+v came back as %+v", state, again.State())
		}
	})
}
