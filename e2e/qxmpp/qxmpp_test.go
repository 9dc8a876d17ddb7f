package qxmpp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd"
)

const (
	john = "john@contoso.com"
	mary = "mary@contoso.com"
)

// program is the client, built once for all tests of this package; empty when QXmpp is missing.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "qxmpp")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		program, err = Build(ctx, dir)
		if err != nil && !errors.Is(err, ErrMissing) {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// service is the stand-in with John and his contact Mary; QXmpp cannot be redirected.
func service(t *testing.T, change func(*messengerd.Config)) (*messengerd.Server, context.Context) {
	t.Helper()
	if program == "" {
		t.Skip("peer: " + ErrMissing.Error())
	}
	config := messengerd.DefaultConfig()
	config.Listen = "127.0.0.1:0"
	config.Switches.RedirectStage = "none"
	config.Accounts = []messengerd.AccountConfig{
		{Email: john, Name: "John Contoso", History: []messengerd.HistoryConfig{
			{With: mary, From: "them", Body: "Do you remember?", Ago: time.Hour},
			{With: mary, From: "me", Body: "I do & <you>?", Ago: time.Minute},
		}},
		{
			Email: mary, Name: "Mary Contoso", Contact: true,
			Contacts: []messengerd.ContactConfig{{Account: john, Subscription: "both"}},
		},
	}
	if change != nil {
		change(config)
	}
	server, err := messengerd.New(config)
	must(t, err)
	must(t, server.Start(context.Background()))
	t.Cleanup(func() { must(t, server.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return server, ctx
}

// start runs QXmpp against the service.
func start(t *testing.T, server *messengerd.Server, authority []byte, token string) *Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, authority, 0o600))
	client, err := Start(program, Options{Address: server.Addr(), Domain: "messenger.live.com", CAFile: file, Token: token})
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

func TestQXmppSignsInToTheServiceAndTalksWithAContact(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*messengerd.Switches)
		// QXmpp of today drops a roster whose sender is the domain, as the service's was (section 5.2); it
		// knows the contacts only where the switch makes the sender the own account.
		contacts bool
	}{
		{"as the service is by default", func(*messengerd.Switches) {}, false},
		{"with replies from the own address", func(s *messengerd.Switches) { s.IQFrom.Reply = "bare" }, true},
		{"with a fresh namespace on every stanza", func(s *messengerd.Switches) { s.IQFrom.Reply, s.XMLStyle = "absent", "repeat_namespace" }, true},
		{"with prefixes declared in the stream header only", func(s *messengerd.Switches) { s.IQFrom.Reply, s.XMLStyle = "bare", "header_prefixes" }, true},
		{"with a resource of the service's choice", func(s *messengerd.Switches) { s.IQFrom.Reply, s.Resource = "bare", "overridden" }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, ctx := service(t, func(c *messengerd.Config) { test.change(&c.Switches) })
			client := start(t, server, server.CAPEM(), server.IssueToken(john))
			account, contact := server.Account(john), server.Account(mary)

			line, err := client.Wait(ctx, "signed-in")
			must(t, err)
			sessions := account.Sessions()
			if len(sessions) != 1 {
				t.Fatalf("the service has %d sessions of John", len(sessions))
			}
			if !strings.HasPrefix(line[1], account.JID()+"/") {
				t.Errorf("QXmpp believes to be %s, the token is %s's", line[1], account.JID())
			}
			if test.contacts {
				expectContact(t, ctx, client, contact.JID())
			}
			must(t, account.WaitOnline(ctx))

			texts := []string{"Hello?", "Grüße 😀\nsecond line", `<b> & "quoted" ]]>`}
			for i, text := range texts {
				must(t, contact.SendMessage(john, text))
				received, err := contact.WaitReceived(ctx, i+1)
				must(t, err)
				if got := received[i].Body; got != "heard: "+text {
					t.Errorf("QXmpp answered %q with %q", text, got)
				}
			}
			must(t, contact.SendMessage(john, "good-bye"))
			must(t, client.Ended(ctx))
			expect(t, ctx, client, "signed-out")
			must(t, account.Wait(ctx, func() bool { return len(account.Sessions()) == 0 }))
			var heard []string
			for _, line := range client.Lines("message") {
				heard = append(heard, line[2])
			}
			if !slices.Equal(heard, append(texts, "good-bye")) {
				t.Errorf("QXmpp heard %q", heard)
			}
		})
	}
}

func TestQXmppIsRefusedAWrongToken(t *testing.T) {
	server, ctx := service(t, nil)
	client := start(t, server, server.CAPEM(), "bm90IGEgdG9rZW4=")
	expect(t, ctx, client, "error", "stream")
	if err := client.Ended(ctx); err == nil {
		t.Error("QXmpp ended as if all were well")
	}
	if found := client.Lines("signed-in"); found != nil {
		t.Errorf("QXmpp is signed in: %q", found)
	}
}

func TestQXmppDoesNotTrustAServiceOfAnotherAuthority(t *testing.T) {
	other, _ := service(t, nil)
	server, ctx := service(t, nil)
	client := start(t, server, other.CAPEM(), server.IssueToken(john))
	_, err := client.Wait(ctx, "error")
	must(t, err)
	if found := client.Lines("signed-in"); found != nil {
		t.Errorf("QXmpp is signed in: %q", found)
	}
}

// expectContact waits until QXmpp has Mary in its contact list, with her card and her history.
func expectContact(t *testing.T, ctx context.Context, client *Client, jid string) {
	t.Helper()
	expect(t, ctx, client, "contact", jid, "both", "Mary Contoso")
	expect(t, ctx, client, "card", jid, "Mary Contoso")
	expect(t, ctx, client, "archive-end", jid)
	archived := []Line{
		{"archived", jid, "from", "Do you remember?"},
		{"archived", jid, "to", "I do & <you>?"},
	}
	if got := client.Lines("archived"); !reflect.DeepEqual(got, archived) {
		t.Errorf("QXmpp read from the archive %q", got)
	}
}

func expect(t *testing.T, ctx context.Context, client *Client, words ...string) {
	t.Helper()
	_, err := client.Wait(ctx, words...)
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
