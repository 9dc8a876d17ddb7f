package messengerd_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"matrix-messenger/messengerd"
)

// call makes one control request and decodes the answer.
func call(t *testing.T, method, address, body string, status int, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("%s %s: %s %s %v", method, address, resp.Status, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func withControl() *messengerd.Config {
	cfg := people()
	cfg.Control.Listen = "127.0.0.1:0"
	return cfg
}

func TestTheControlInterfaceActsAsAContact(t *testing.T) {
	s := start(t, withControl())
	c := online(t, s, john, "r")
	her := s.ControlURL() + "/accounts/mary@contoso.com/"
	call(t, "POST", her+"message", `{"to": "john@contoso.com", "body": "hello"}`, 200, nil)
	c.await("the message", isMessage("hello"))
	call(t, "POST", her+"presence", `{"state": "busy", "status": "in a call"}`, 200, nil)
	c.await("the presence", func(n node) bool { return n.at("show").Text == "dnd" && n.at("status").Text == "in a call" })
	call(t, "POST", her+"typing", `{"to": "john@contoso.com", "state": "composing"}`, 200, nil)
	c.await("typing", func(n node) bool { return n.has("composing") })

	answers := make(chan []messengerd.Received)
	go func() {
		var list []messengerd.Received
		defer func() { answers <- list }()
		resp, err := http.Get(her + "received?after=0&wait=20s")
		if err == nil {
			defer func() { _ = resp.Body.Close() }()
			_ = json.NewDecoder(resp.Body).Decode(&list)
		}
	}()
	c.chat(mary, "m1", "answer")
	if list := <-answers; len(list) != 1 || list[0].Body != "answer" || list[0].Seq != 1 {
		t.Errorf("received %v", list)
	}
	var list []messengerd.Received
	call(t, "GET", her+"received?after=1&wait=1ms", "", 200, &list)
	if len(list) != 0 {
		t.Errorf("received %v", list)
	}

	other := s.ControlURL() + "/accounts/" + anna + "/"
	call(t, "POST", other+"invite", `{"to": "john@contoso.com", "nick": "Anna", "text": "hi"}`, 200, nil)
	c.await("the invitation", isPresence("subscribe", anna))
	call(t, "POST", s.ControlURL()+"/accounts/john@contoso.com/accept", `{"from": "anna@contoso.com"}`, 200, nil)
	c.await("the push", isPush(anna, "both", ""))
	call(t, "POST", other+"remove", `{"contact": "john@contoso.com"}`, 200, nil)
	c.await("the push", isPush(anna, "none", ""))
	call(t, "POST", s.ControlURL()+"/accounts/john@contoso.com/rename", `{"contact": "mary@contoso.com", "name": "M."}`, 200, nil)
	c.await("the push", func(n node) bool { return n.at("query", "item").attr("name") == "M." })
	call(t, "POST", other+"invite", `{"to": "john@contoso.com"}`, 200, nil)
	call(t, "POST", s.ControlURL()+"/accounts/john@contoso.com/decline", `{"from": "anna@contoso.com"}`, 200, nil)
	var contacts []messengerd.Contact
	call(t, "GET", other+"contacts", "", 200, &contacts)
	if len(contacts) != 1 || contacts[0].Ask != "" {
		t.Errorf("Anna's contacts: %v", contacts)
	}
	call(t, "POST", her+"history", `{"to": "john@contoso.com", "body": "old", "ago": "24h"}`, 200, nil)
}

func TestTheControlInterfaceProvokesFaults(t *testing.T) {
	s := start(t, withControl())
	base := s.ControlURL()
	var token struct{ Token string }
	call(t, "POST", base+"/accounts/john@contoso.com/token", "", 200, &token)
	if n := toSASL(t, s, s.Addr()).auth(token.Token); n.XMLName.Local != "success" {
		t.Errorf("the token is refused: %v", n)
	}
	call(t, "POST", base+"/accounts/john@contoso.com/revoke", "", 200, nil)
	if n := toSASL(t, s, s.Addr()).auth(token.Token); n.XMLName.Local != "failure" {
		t.Errorf("the revoked token is taken: %v", n)
	}
	var sessions []messengerd.SessionInfo
	c := online(t, s, john, "r")
	call(t, "GET", base+"/sessions", "", 200, &sessions)
	if len(sessions) != 1 || sessions[0].JID != c.jid || !sessions[0].Online {
		t.Errorf("sessions: %v", sessions)
	}
	call(t, "POST", base+"/accounts/"+john+"/raw", `{"xml": "<presence from='x@y/z'/>"}`, 200, nil)
	c.await("raw", isPresence("", "x@y"))
	call(t, "POST", base+"/accounts/"+john+"/stream_error", `{"condition": "reset", "text": "x"}`, 200, nil)
	if got := c.ended(); got != "reset" {
		t.Errorf("ended with %q", got)
	}
	c = online(t, s, john, "r")
	call(t, "POST", base+"/accounts/"+john+"/redirect", `{"target": "x:1"}`, 200, nil)
	if got := c.ended(); got != "see-other-host" {
		t.Errorf("ended with %q", got)
	}
	c = online(t, s, john, "r")
	call(t, "POST", base+"/accounts/"+john+"/cut", "", 200, nil)
	c.ended()
	c = online(t, s, john, "r")
	call(t, "POST", base+"/cut", "", 200, nil)
	c.ended()
	call(t, "PATCH", base+"/switches", `{"ping": "result", "archive": {"messages": 3}}`, 200, nil)
	if sw := s.Switches(); sw.Ping != "result" || sw.Archive.Messages != 3 || sw.Archive.Commands != "both" {
		t.Errorf("switches: %+v", sw)
	}
	var switches map[string]any
	call(t, "GET", base+"/switches", "", 200, &switches)
	if switches["ping"] != "result" {
		t.Errorf("switches: %v", switches)
	}
	var added map[string]string
	call(t, "POST", base+"/accounts", `{"email": "new@contoso.com", "contact": true}`, 200, &added)
	if s.Account("new@contoso.com") == nil || added["jid"] != s.Account("new@contoso.com").JID() {
		t.Errorf("added %v", added)
	}
	var accounts []map[string]any
	call(t, "GET", base+"/accounts", "", 200, &accounts)
	if len(accounts) != 4 {
		t.Errorf("accounts: %v", accounts)
	}
}

func TestTheControlInterfaceRefusesNonsense(t *testing.T) {
	s := start(t, withControl())
	base := s.ControlURL()
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/accounts/nobody@contoso.com/message", `{}`, 404},
		{"POST", "/accounts/mary@contoso.com/message", `{"to": "nobody@contoso.com", "body": "x"}`, 422},
		{"POST", "/accounts/mary@contoso.com/message", `{"too": "john@contoso.com"}`, 400},
		{"POST", "/accounts/mary@contoso.com/presence", `{"state": "dancing"}`, 422},
		{"POST", "/accounts/mary@contoso.com/dance", `{}`, 404},
		{"PATCH", "/switches", `{"no_such": 1}`, 400},
		{"PATCH", "/switches", `{"ping": "dance"}`, 400},
		{"POST", "/accounts", `{"email": "mary@contoso.com"}`, 400},
	} {
		var answer map[string]string
		out := any(&answer)
		if test.path == "/accounts/mary@contoso.com/dance" {
			out = nil
		}
		call(t, test.method, base+test.path, test.body, test.status, out)
		if out != nil && answer["error"] == "" {
			t.Errorf("%s %s: no reason given", test.method, test.path)
		}
	}
	if got := s.Switches().Ping; got != "service-unavailable" {
		t.Errorf("a refused change left ping at %q", got)
	}
}
