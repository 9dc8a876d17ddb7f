package xmppside

import (
	"errors"
	"testing"

	"matrix-messenger/xmppside/session"
)

func TestAServiceWithoutADirectoryKnowsPeopleByTheirJIDs(t *testing.T) {
	service, err := NewService(Profile{
		Domain: "chat.example", Authenticate: func(string) session.Authenticator { return nil },
	}, ServiceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	directory := service.Profile().Directory
	for text, want := range map[string]string{
		"mary@chat.example":             "mary@chat.example",
		" mary@elsewhere.example/Home ": "mary@elsewhere.example",
		"xmpp:mary@other.example?chat":  "mary@other.example",
		"<mary@chat.example>":           "mary@chat.example",
		"chat.example":                  "",
		"mary smith@chat.example":       "",
		"":                              "",
	} {
		got, err := directory.Parse(text)
		if got.Email != "" || want == "" && !errors.Is(err, ErrBadJID) || want != "" && got.JID.String() != want {
			t.Errorf("%q is %+v, %v, want %q", text, got, err, want)
		}
	}
	if _, err = directory.LookUp(t.Context(), nil, "mary@chat.example"); !errors.Is(err, ErrNobody) {
		t.Errorf("the search says %v", err)
	}
}
