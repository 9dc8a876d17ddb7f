package iq_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/iq/iqtest"
)

type answer struct {
	XMLName xml.Name `xml:"urn:example answer"`
	Text    string   `xml:"text"`
	Number  int      `xml:"number"`
}

const conditions = ` xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"`

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, in  string
		text      string
		condition stanza.Condition
		unfit     bool
	}{
		{name: "a result is read", in: `<iq type="result"><answer xmlns="urn:example"><text>a</text></answer></iq>`, text: "a"},
		{name: "a prefix is no matter", in: `<iq type="result"><x:answer xmlns:x="urn:example"><text>a</text></x:answer></iq>`, text: "a"},
		{name: "only the first child counts", in: `<iq type="result"><answer xmlns="urn:example"><text>a</text></answer><answer xmlns="urn:example"><text>b</text></answer></iq>`, text: "a"},
		{name: "white space is no child", in: "<iq type='result'>\n <answer xmlns='urn:example'><text>a</text></answer>\n</iq>", text: "a"},
		{name: "a result without a child is nothing", in: `<iq type="result"/>`},
		{name: "a wrong child does not fit", in: `<iq type="result"><other xmlns="urn:example"><a><b/></a></other></iq>`, unfit: true},
		{name: "a wrong namespace does not fit", in: `<iq type="result"><answer/></iq>`, unfit: true},
		{name: "a wrong value does not fit", in: `<iq type="result"><answer xmlns="urn:example"><number>x</number><a><b/></a></answer></iq>`, unfit: true},
		{
			name: "an error by the book", in: `<iq type="error"><answer xmlns="urn:example"/><error type="cancel"><item-not-found` + conditions + `/></error></iq>`,
			condition: stanza.ItemNotFound,
		},
		{name: "an error without a reason", in: `<iq type="error"/>`, condition: stanza.UndefinedCondition},
		{name: "an error with an unknown reason", in: `<iq type="error"><error type="wait"><tired` + conditions + `/></error></iq>`, condition: stanza.UndefinedCondition},
		{name: "an error with a sender that is no address", in: `<iq type="error"><error by="@@" type="auth"><forbidden` + conditions + `/></error></iq>`, condition: stanza.Forbidden},
		{name: "an unknown reason before a known one", in: `<iq type="error"><error><x xmlns="urn:y"/><y` + conditions + `/><gone` + conditions + `>z</gone></error></iq>`, condition: stanza.Gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := xml.NewDecoder(strings.NewReader(`<stream xmlns="jabber:client">` + c.in + `<next/></stream>`))
			_, _ = d.Token()
			start, _ := d.Token()
			var got answer
			err := iq.Decode(d, start.(xml.StartElement), &got)
			if got.Text != c.text {
				t.Errorf("read %q, want %q", got.Text, c.text)
			}
			if errors.Is(err, iq.ErrUnreadable) != c.unfit {
				t.Errorf("error %v", err)
			}
			if condition, _ := iq.ConditionOf(err); condition != c.condition {
				t.Errorf("condition %q, want %q", condition, c.condition)
			}
			if !iq.Answered(err) {
				t.Errorf("%v does not count as an answer", err)
			}
			next, err := d.Token()
			if start, ok := next.(xml.StartElement); !ok || start.Name.Local != "next" {
				t.Errorf("the stream stands at %v (%v), not behind the answer", next, err)
			}
		})
	}
}

func TestABrokenStreamIsNoAnswer(t *testing.T) {
	for _, in := range []string{
		`<iq type="result"><answer xmlns="urn:example"><text>a`,
		`<iq type="result"><other><a></b>`,
		`<iq type="error"><error type="cancel">`,
		`<iq type="result"><answer xmlns="urn:example"><number>x</number>`,
		`<iq type="result">`,
	} {
		d := xml.NewDecoder(strings.NewReader(in))
		start, _ := d.Token()
		var got answer
		err := iq.Decode(d, start.(xml.StartElement), &got)
		if err == nil || iq.Answered(err) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestTextOfAnError(t *testing.T) {
	r := iqtest.Replies(`<iq type="error"><error type="modify"><text` + conditions + ` xml:lang="en">` + strings.Repeat("é", 2000) +
		`</text><bad-request` + conditions + `/><text` + conditions + `>second</text></error></iq>`)
	err := r.Request(context.Background(), iq.Request{Type: iq.Get}, nil)
	var e stanza.Error
	if !errors.As(err, &e) || e.Type != stanza.Modify || e.Condition != stanza.BadRequest {
		t.Fatalf("%v", err)
	}
	if text := e.Text[""]; text != strings.Repeat("é", iq.MaxErrorText/2) {
		t.Errorf("%d bytes of text kept", len(text))
	}
}

func TestKindsOfFailure(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	ask := func(ctx context.Context, r iq.Requester) error { return r.Request(ctx, iq.Request{Type: iq.Get}, nil) }
	for _, c := range []struct {
		name              string
		err               error
		answered, refused bool
	}{
		{"a result", ask(context.Background(), iqtest.Replies(iqtest.Result(""))), true, false},
		{"not allowed", ask(context.Background(), iqtest.Replies(iqtest.Error("cancel", "not-allowed"))), true, true},
		{"not found", ask(context.Background(), iqtest.Replies(iqtest.Error("cancel", "item-not-found"))), true, false},
		{"the session ended", ask(context.Background(), iqtest.Fails(io.ErrUnexpectedEOF)), false, false},
		{"given up", ask(cancelled, iqtest.Replies(iqtest.Result(""))), false, false},
	} {
		if iq.Answered(c.err) != c.answered || iq.Refused(c.err) != c.refused {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	if !iq.IsError(stanza.Error{Condition: stanza.Gone}) || iq.IsError(stanza.Error{Condition: stanza.Gone}, stanza.Conflict) {
		t.Error("conditions are mixed up")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`<iq type="result"><answer xmlns="urn:example"><number>x</number><a><b/></a></answer></iq>`)
	f.Add(`<iq type="error"><error by="@@" type="auth"><forbidden` + conditions + `/></error></iq>`)
	f.Add(`<iq type="result"><answer xmlns="urn:example" xmlns:urn="x"/><answer/></iq>`)
	f.Fuzz(func(t *testing.T, in string) {
		// Whatever the answer holds, reading it ends behind it or at an error of the stream.
		whole := `<s xmlns="jabber:client">` + in + `<next/></s>`
		if xml.Unmarshal([]byte(whole), new(struct{})) != nil {
			return
		}
		d := xml.NewDecoder(strings.NewReader(whole))
		_, _ = d.Token()
		for {
			token, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			start, ok := token.(xml.StartElement)
			if !ok {
				if _, end := token.(xml.EndElement); end {
					return
				}
				continue
			}
			if start.Name.Local == "next" {
				continue
			}
			var got answer
			if err := iq.Decode(d, start, &got); err != nil && !iq.Answered(err) {
				t.Fatalf("%s: %v", in, err)
			}
		}
	})
}
