package disco

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/iq/iqtest"
)

func TestWhatTheServiceCanDo(t *testing.T) {
	r := iqtest.Replies(iqtest.Result(`<query xmlns="http://jabber.org/protocol/disco#info"><identity category="server" type="im" name="a&#10;b"/>` +
		`<feature var="vcard-temp"/><feature var="urn:xmpp:archive"/><feature/><feature var="` + strings.Repeat("x", 600) + `"/>` +
		`<feature xmlns="urn:x" var="other"/><x xmlns="jabber:x:data"><field/></x></query>`))
	info, err := Fetch(context.Background(), r, "messenger.live.com")
	if err != nil {
		t.Fatal(err)
	}
	if !info.Has("vcard-temp") || !info.Has("urn:xmpp:archive") || info.Has("other") || info.Has("") || len(info.Features) != 2 {
		t.Errorf("%v", info.Features)
	}
	if !info.Is("server", "im") || info.Is("server", "x") || info.Identities[0].Name != "a b" {
		t.Errorf("%v", info.Identities)
	}
	if sent := r.Sent()[0]; sent.Type != iq.Get || sent.To != "messenger.live.com" || string(sent.Payload) != `<query xmlns="http://jabber.org/protocol/disco#info"/>` {
		t.Errorf("%+v", sent)
	}
}

func TestAServiceWithoutDiscovery(t *testing.T) {
	if info, err := Fetch(context.Background(), iqtest.Replies(iqtest.Result("")), "x.org"); err != nil || info.Has("vcard-temp") {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := Fetch(context.Background(), iqtest.Replies(iqtest.Error("cancel", "service-unavailable")), "x.org"); !iq.IsError(err) {
		t.Error(err)
	}
	if (Info{}).Has("x") {
		t.Error("no answer has a feature")
	}
}

func FuzzInfo(f *testing.F) {
	var many strings.Builder
	for i := range 2 * MaxEntries {
		fmt.Fprintf(&many, `<feature var="f%d"/><identity category="c"/>`, i)
	}
	f.Add(`<query xmlns="http://jabber.org/protocol/disco#info">` + many.String() + `</query>`)
	f.Fuzz(func(t *testing.T, in string) {
		var q query
		if xml.Unmarshal([]byte(in), &q) != nil {
			return
		}
		if info := q.info(); len(info.Features) > MaxEntries || len(info.Identities) > MaxEntries {
			t.Errorf("%d features, %d identities", len(info.Features), len(info.Identities))
		}
	})
}
