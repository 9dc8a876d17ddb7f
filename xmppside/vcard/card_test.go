package vcard

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/xml"
	"reflect"
	"strings"
	"testing"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/iq/iqtest"
)

// gif is a whole picture of one pixel.
var gif = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

func card(inner string) string {
	return iqtest.Result(`<vCard xmlns="vcard-temp">` + inner + `</vCard>`)
}

func TestCards(t *testing.T) {
	gif64 := base64.StdEncoding.EncodeToString(gif)
	photo := &Photo{Type: "image/gif", Data: gif}
	for _, c := range []struct {
		name, in string
		want     Card
	}{
		{
			"names", `<FN>Ann</FN><N><FAMILY /><GIVEN>Ann</GIVEN></N><NICKNAME>ann</NICKNAME>`,
			Card{FullName: "Ann", Given: "Ann", Nickname: "ann"},
		},
		{"white space in names", "<FN>\n Ann\t Contoso </FN>", Card{FullName: "Ann Contoso"}},
		{
			"the preferred address", `<EMAIL><USERID>a@x.org</USERID></EMAIL><EMAIL><INTERNET/><PREF/><USERID>b@x.org</USERID></EMAIL><EMAIL><USERID>c@x.org</USERID></EMAIL>`,
			Card{Email: "b@x.org"},
		},
		{"the first address", `<EMAIL><USERID/></EMAIL><EMAIL><USERID>b@x.org</USERID></EMAIL><EMAIL><USERID>c@x.org</USERID></EMAIL>`, Card{Email: "b@x.org"}},
		{"a photo with a wrong type", `<PHOTO><TYPE>image/jpeg</TYPE><BINVAL>` + gif64 + `</BINVAL></PHOTO>`, Card{Photo: photo}},
		{"a photo in lines", "<PHOTO><BINVAL>\r\n\t" + gif64[:10] + "\n " + gif64[10:] + "\n</BINVAL></PHOTO>", Card{Photo: photo}},
		{"a photo without padding", `<PHOTO><BINVAL>` + strings.TrimRight(gif64, "=") + `</BINVAL></PHOTO>`, Card{Photo: photo}},
		{"a photo elsewhere", `<PHOTO><EXTVAL> https://x.org/a.jpg </EXTVAL></PHOTO>`, Card{Photo: &Photo{URL: "https://x.org/a.jpg"}}},
		{"the second photo when the first is none", `<PHOTO><BINVAL>AAAA</BINVAL></PHOTO><PHOTO><BINVAL>` + gif64 + `</BINVAL></PHOTO>`, Card{Photo: photo}},
		{"an address without encryption is no photo", `<FN>A</FN><PHOTO><EXTVAL>http://x.org/a.jpg</EXTVAL></PHOTO>`, Card{FullName: "A"}},
		{"a page is no photo", `<FN>A</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>` + base64.StdEncoding.EncodeToString([]byte("<html><script>")) + `</BINVAL></PHOTO>`, Card{FullName: "A"}},
		{"a drawing is no photo", `<FN>A</FN><PHOTO><BINVAL>` + base64.StdEncoding.EncodeToString([]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)) + `</BINVAL></PHOTO>`, Card{FullName: "A"}},
		{"broken base64 is no photo", `<FN>A</FN><PHOTO><BINVAL>!!!</BINVAL></PHOTO>`, Card{FullName: "A"}},
		{"elements of another namespace do not count", `<FN xmlns="urn:x">A</FN><NICKNAME>b</NICKNAME>`, Card{Nickname: "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := iqtest.Replies(card(c.in))
			got, ok, err := Fetch(context.Background(), r, "a@messenger.live.com")
			if err != nil || !ok || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v, %v; want %+v", got, ok, err, c.want)
			}
			if sent := r.Sent()[0]; sent.Type != iq.Get || sent.To != "a@messenger.live.com" || string(sent.Payload) != `<vCard xmlns="vcard-temp"/>` {
				t.Errorf("asked %+v", sent)
			}
		})
	}
}

func TestSomeoneWithoutACard(t *testing.T) {
	for _, answer := range []string{
		card(""), iqtest.Result(""), card("<FN> </FN><N/><PHOTO/>"),
		iqtest.Error("cancel", "service-unavailable"), iqtest.Error("cancel", "item-not-found"),
	} {
		if got, ok, err := Fetch(context.Background(), iqtest.Replies(answer), ""); ok || err != nil || !got.IsEmpty() {
			t.Errorf("%s: %+v, %v, %v", answer, got, ok, err)
		}
	}
	for _, r := range []iq.Requester{
		iqtest.Replies(iqtest.Error("wait", "resource-constraint")), iqtest.Fails(context.DeadlineExceeded),
	} {
		if _, ok, err := Fetch(context.Background(), r, ""); ok || err == nil {
			t.Error("a failure counts as an answer")
		}
	}
}

func TestPhotosAreBounded(t *testing.T) {
	for _, size := range []int{MaxPhoto, MaxPhoto + 1, 3 * MaxPhoto} {
		data := append(bytes.Clone(gif), make([]byte, size-len(gif))...)
		got := readPhoto(base64.StdEncoding.EncodeToString(data), "")
		if (got != nil) != (size <= MaxPhoto) {
			t.Errorf("%d bytes: kept is %v", size, got != nil)
		}
	}
	if got := readPhoto("", "https://x.org/"+strings.Repeat("a", maxURL)); got != nil {
		t.Error("an endless address is kept")
	}
}

func TestTheNameToShow(t *testing.T) {
	full := Card{FullName: "Ann Contoso", Nickname: "annie"}
	for _, c := range []struct {
		card Card
		want string
	}{{full, "Ann Contoso"}, {Card{Nickname: "annie"}, "annie"}, {Card{Given: "Ann", Family: "C"}, "Ann C"}, {Card{Family: "C"}, "C"}, {Card{}, ""}} {
		if got := c.card.Name(); got != c.want {
			t.Errorf("%+v: %q", c.card, got)
		}
	}
}

func FuzzCard(f *testing.F) {
	f.Add(`<vCard xmlns="vcard-temp"><FN>A</FN><N><GIVEN>B</GIVEN></N><EMAIL><PREF/><USERID>x</USERID></EMAIL><PHOTO><BINVAL>R0lGODlh</BINVAL><EXTVAL>https://x</EXTVAL></PHOTO></vCard>`)
	f.Fuzz(func(t *testing.T, in string) {
		var e element
		if xml.Unmarshal([]byte(in), &e) != nil {
			return
		}
		c := e.card()
		if len(c.FullName) > MaxText || len(c.Email) > MaxText {
			t.Errorf("%+v", c)
		}
		if p := c.Photo; p != nil && (p.Type == "") != (p.URL != "") {
			t.Errorf("%+v", p)
		}
	})
}
