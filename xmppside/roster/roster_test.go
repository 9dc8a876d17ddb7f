package roster

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/iq/iqtest"
)

func fetch(t *testing.T, answer string) List {
	t.Helper()
	r := iqtest.Replies(answer)
	var query Query
	if err := r.Request(context.Background(), FetchRequest(), &query); err != nil {
		t.Fatal(err)
	}
	sent := r.Sent()[0]
	if sent.Type != iq.Get || sent.To != "" || string(sent.Payload) != `<query xmlns="jabber:iq:roster"/>` {
		t.Errorf("asked with %+v", sent)
	}
	return query.List()
}

func TestTheContactList(t *testing.T) {
	list := fetch(t, iqtest.Result(`<query xmlns="jabber:iq:roster">`+
		`<item jid="A1b2@messenger.live.com" name=" Ann&#10;Contoso " subscription="both"><group>Friends</group><group>Friends</group><group/></item>`+
		`<item jid="b@messenger.live.com/home" subscription="none" ask="subscribe"/>`+
		`<item jid="c@messenger.live.com" subscription="to"/>`+
		`<item jid="d@messenger.live.com" subscription="from"/>`+
		`<item jid="e@messenger.live.com"/>`+
		`<item jid="f@messenger.live.com" subscription="sideways" ask="no"/>`+
		`<item jid="g@messenger.live.com" subscription="remove"/>`+
		`<item jid="mary@contoso.com" subscription="none"/>`+
		`<item jid="@@"/><item/>`+
		`<item xmlns="urn:other" jid="x@messenger.live.com"/></query>`))
	if list.Skipped != 2 {
		t.Errorf("%d skipped, want 2", list.Skipped)
	}
	type view struct {
		Key, Raw, Name             string
		Sub                        Subscription
		Contact, Invited, Approves bool
		Groups                     string
	}
	var got []view
	for _, i := range list.Items {
		got = append(got, view{i.Key(), i.Raw, i.Name, i.Subscription, i.IsContact(), i.Invited(), i.Approves(), strings.Join(i.Groups, ",")})
	}
	want := []view{
		{"a1b2@messenger.live.com", "A1b2@messenger.live.com", "Ann Contoso", Both, true, false, true, "Friends"},
		{"b@messenger.live.com", "b@messenger.live.com", "", None, false, true, true, ""},
		{"c@messenger.live.com", "c@messenger.live.com", "", To, true, false, true, ""},
		{"d@messenger.live.com", "d@messenger.live.com", "", From, false, false, true, ""},
		{"e@messenger.live.com", "e@messenger.live.com", "", None, false, false, false, ""},
		{"f@messenger.live.com", "f@messenger.live.com", "", None, false, false, false, ""},
		{"g@messenger.live.com", "g@messenger.live.com", "", None, false, false, false, ""},
		{"mary@contoso.com", "mary@contoso.com", "", None, false, false, false, ""},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestAContactOnTheListTwiceIsOneContact(t *testing.T) {
	list := fetch(t, iqtest.Result(`<query xmlns="jabber:iq:roster"><item jid="A@x.org" name="old"/><item jid="b@x.org"/><item jid="a@x.org" name="new"/></query>`))
	if len(list.Items) != 2 || list.Items[0].Name != "new" || list.Skipped != 0 {
		t.Errorf("%+v", list)
	}
}

func TestAListWithoutEndIsCutOff(t *testing.T) {
	var b strings.Builder
	for i := range MaxItems + 3 {
		fmt.Fprintf(&b, `<item jid="u%d@x.org"/>`, i)
	}
	list := fetch(t, iqtest.Result(`<query xmlns="jabber:iq:roster">`+b.String()+`</query>`))
	if len(list.Items) != MaxItems || list.Skipped != 3 {
		t.Errorf("%d items, %d skipped", len(list.Items), list.Skipped)
	}
}

func TestAnEmptyList(t *testing.T) {
	for _, empty := range []string{`<query xmlns="jabber:iq:roster" />`, ""} {
		if list := fetch(t, iqtest.Result(empty)); len(list.Items) != 0 {
			t.Errorf("%q: %+v", empty, list)
		}
	}
}

func TestPushes(t *testing.T) {
	for _, c := range []struct {
		name, items string
		want        Subscription
		bad         bool
	}{
		{"a new contact", `<item jid="c@x.org" name="Cy" subscription="none" ask="subscribe"/>`, None, false},
		{"a contact that is gone", `<item jid="c@x.org" subscription="remove"/>`, Remove, false},
		{"no item", ``, "", true},
		{"two items", `<item jid="c@x.org"/><item jid="d@x.org"/>`, "", true},
		{"no address", `<item/>`, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q Query
			if err := xml.Unmarshal([]byte(`<query xmlns="jabber:iq:roster">`+c.items+`</query>`), &q); err != nil {
				t.Fatal(err)
			}
			item, err := q.Push()
			if errors.Is(err, ErrPush) != c.bad || item.Subscription != c.want || item.Removed() != (c.want == Remove) {
				t.Errorf("%+v, %v", item, err)
			}
		})
	}
}

func TestAddingAContact(t *testing.T) {
	r := iqtest.Replies(iqtest.Result(""), iqtest.Error("cancel", "not-allowed"))
	contact := jid.MustParse("c@messenger.live.com/home")
	if err := Add(context.Background(), r, contact, `Cy "<&>`); err != nil {
		t.Fatal(err)
	}
	if err := Add(context.Background(), r, contact, ""); !iq.Refused(err) {
		t.Errorf("a refusal is reported as %v", err)
	}
	sent := r.Sent()
	want := `<query xmlns="jabber:iq:roster"><item jid="c@messenger.live.com" name="Cy &quot;&lt;&amp;&gt;"/></query>`
	if sent[0].Type != iq.Set || string(sent[0].Payload) != want {
		t.Errorf("sent %s", sent[0].Payload)
	}
	if string(sent[1].Payload) != `<query xmlns="jabber:iq:roster"><item jid="c@messenger.live.com"/></query>` {
		t.Errorf("sent %s", sent[1].Payload)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add(`<query xmlns="jabber:iq:roster"><item jid="A@x.org/r" name="a" ask="subscribe" subscription="both"><group>g</group></item></query>`)
	f.Fuzz(func(t *testing.T, in string) {
		var q Query
		if xml.Unmarshal([]byte(in), &q) != nil {
			return
		}
		_, _ = q.Push()
		seen := map[string]bool{}
		for _, item := range q.List().Items {
			if len(item.Name) > MaxName || seen[item.Key()] || item.JID.Resourcepart() != "" || item.Removed() {
				t.Errorf("%+v", item)
			}
			seen[item.Key()] = true
		}
	})
}
