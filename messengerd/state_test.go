package messengerd_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"matrix-messenger/messengerd"
)

func TestTheStateSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	cfg := people()
	cfg.State = filepath.Join(dir, "state.json")
	cfg.Certificate.CAFile = filepath.Join(dir, "ca.pem")
	s, err := messengerd.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Account(anna).Invite(john, "Anna A.", "hi")
	if err := s.Account(mary).SendMessage(john, "stored"); err != nil {
		t.Fatal(err)
	}
	ca := string(s.CAPEM())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg)
	if string(s.CAPEM()) != ca {
		t.Error("a new authority was made")
	}
	c := online2(t, s)
	for what, match := range map[string]func(node) bool{
		"the invitation": func(n node) bool { return isPresence("subscribe", anna)(n) && n.at("nick").Text == "Anna A." },
		"the message":    isMessage("stored"),
	} {
		if count(c, match) != 1 {
			t.Errorf("%s did not survive: %v", what, c)
		}
	}
	if got := texts(signIn(t, s, john, "b").retrieve(mary, "").at("chat")); len(got) != 1 {
		t.Errorf("archive: %v", got)
	}
}

// online2 signs John in and gives what came with the initial presence.
func online2(t *testing.T, s *messengerd.Server) []node {
	c := signIn(t, s, john, "r")
	c.roster()
	c.send("<presence/>")
	return c.sync()
}

func TestMessagesThatCouldNotBeWrittenAreStoredAgain(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	// The client stops reading; what no longer fits into the connection stays queued.
	const messages = 150
	body := strings.Repeat("x", 100_000)
	for i := range messages {
		if err := s.Account(mary).SendMessage(john, fmt.Sprint(i, " ", body)); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.conn.Close()
	var got []string
	for _, n := range online2(t, s) {
		if n.XMLName.Local == "message" {
			number, _, _ := strings.Cut(n.at("body").Text, " ")
			got = append(got, number)
		}
	}
	if len(got) == 0 || got[len(got)-1] != fmt.Sprint(messages-1) {
		t.Fatalf("the last message is lost: %v", got)
	}
	var previous, number int
	for i, text := range got {
		if _, err := fmt.Sscan(text, &number); err != nil || (i > 0 && number != previous+1) {
			t.Fatalf("out of order at %d: %v", i, got)
		}
		previous = number
	}
}

func TestMessagesThatTheOwnProgramHasAreNotStoredAgain(t *testing.T) {
	s := start(t, people())
	c := online(t, s, john, "r")
	if err := s.Account(john).SetPresence("available", ""); err != nil {
		t.Fatal(err)
	}
	const messages = 150 // more than fits into the connection of a client that does not read
	body := strings.Repeat("x", 100_000)
	for i := range messages {
		if err := s.Account(mary).SendMessage(john, fmt.Sprint(i, " ", body)); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.conn.Close()
	for _, n := range online2(t, s) {
		if n.XMLName.Local == "message" {
			t.Fatalf("%.20q was given out again", n.at("body").Text)
		}
	}
	if n := len(s.Account(john).Received()); n != messages {
		t.Errorf("the program has %d messages", n)
	}
}
