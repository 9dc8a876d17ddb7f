package iq_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"mellium.im/xmpp/jid"

	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/archive"
	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/jidlookup"
	"matrix-messenger/xmppside/messenger"
	"matrix-messenger/xmppside/roster"
	"matrix-messenger/xmppside/vcard"
)

const (
	john = "john@contoso.com"
	ann  = "ann@contoso.com"
	bob  = "bob@contoso.com"
)

// onlineHandler tells when the account is signed in.
type onlineHandler struct {
	once   sync.Once
	online chan struct{}
}

func (h *onlineHandler) Handle(_ context.Context, ev xmppside.Event) error {
	if state, ok := ev.(xmppside.StateEvent); ok && state.State == xmppside.Online {
		h.once.Do(func() { close(h.online) })
	}
	return nil
}

type tokens func() string

func (t tokens) Token(context.Context, string) (string, error) { return t(), nil }

// signIn starts the stand-in service and signs John in to it; Ann is his contact, Bob is not.
func signIn(t *testing.T) (*messengerd.Server, *xmppside.Session) {
	t.Helper()
	cfg := messengerd.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Switches.RedirectStage = "none"
	cfg.Accounts = []messengerd.AccountConfig{
		{Email: ann, Name: "Ann Contoso", Contact: true},
		{Email: bob, Name: "Bob", Contact: true, NoVCard: true},
		{Email: john, Name: "John", Contacts: []messengerd.ContactConfig{{Account: ann, Subscription: "both"}}},
	}
	server, err := messengerd.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CAPEM())
	profile, err := messenger.NewProfile(messenger.Options{Roots: roots, Address: server.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	service, err := xmppside.NewService(profile, xmppside.ServiceOptions{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	handler := &onlineHandler{online: make(chan struct{})}
	account := xmppside.NewAccount(xmppside.AccountConfig{
		Service: service, Resource: "test", Handler: handler, Log: zerolog.Nop(),
		Tokens: tokens(func() string { return server.IssueToken(john) }),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { account.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		ended.Wait()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-handler.online:
	case <-time.After(30 * time.Second):
		t.Fatal("the account did not sign in")
	}
	return server, account.Session()
}

func address(t *testing.T, server *messengerd.Server, email string) jid.JID {
	t.Helper()
	j, err := jid.Parse(server.Account(email).JID())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestTheServiceAnswersQuestions(t *testing.T) {
	server, session := signIn(t)
	ctx := t.Context()
	annJID := address(t, server, ann)

	var query roster.Query
	err := session.Request(ctx, roster.FetchRequest(), &query)
	if list := query.List(); err != nil || len(list.Items) != 1 || !list.Items[0].IsContact() || list.Items[0].Key() != annJID.String() {
		t.Errorf("the roster is %+v, %v", list, err)
	}
	card, ok, err := vcard.Fetch(ctx, session, annJID.String())
	if err != nil || !ok || card.Name() != "Ann Contoso" {
		t.Errorf("Ann's card is %+v, %v, %v", card, ok, err)
	}
	found, err := jidlookup.Lookup(ctx, session, "Ann@Contoso.com")
	if err != nil || !found.Equal(annJID) {
		t.Errorf("Ann is %v, %v", found, err)
	}
	if _, err := jidlookup.Lookup(ctx, session, "nobody@contoso.com"); !errors.Is(err, jidlookup.ErrNotFound) {
		t.Errorf("nobody is %v", err)
	}
	if err := roster.Add(ctx, session, address(t, server, bob), "Bob"); err != nil {
		t.Errorf("adding Bob: %v", err)
	}
	if err := roster.Add(ctx, session, annJID, "Another name"); !iq.Refused(err) {
		t.Errorf("renaming Ann: %v", err)
	}
	if _, ok, err := vcard.Fetch(ctx, session, address(t, server, bob).String()); ok || err != nil {
		t.Errorf("Bob's card: %v, %v", ok, err)
	}
}

func TestTheArchiveOfTheService(t *testing.T) {
	server, session := signIn(t)
	ctx := t.Context()
	annJID, bobJID := address(t, server, ann), address(t, server, bob)
	begin := time.Date(2012, 6, 1, 10, 0, 0, 0, time.UTC)
	for i := range 13 {
		from, to := ann, john
		if i%2 == 1 {
			from, to = john, ann
		}
		// An hour's pause after each three.
		at := begin.Add(time.Duration(i)*time.Second + time.Duration(i/3)*time.Hour)
		if err := server.AddHistory(from, to, fmt.Sprintf("<%d> & so on", i), at); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		rules   messengerd.ArchiveRules
		first   int // of the messages that come, 13 for none
		unknown bool
	}{
		{"as documented", messengerd.ArchiveRules{Commands: "both", Start: "ignored", Messages: 10}, 3, false},
		{"a lower maximum", messengerd.ArchiveRules{Commands: "both", Start: "ignored", Messages: 5}, 8, false},
		{"without lists", messengerd.ArchiveRules{Commands: "retrieve", Start: "ignored", Messages: 10}, 3, false},
		{"start counts", messengerd.ArchiveRules{Commands: "both", Start: "enforced", Messages: 10}, 3, false},
		{"start counts, several collections", messengerd.ArchiveRules{Commands: "both", Start: "enforced", Messages: 10, Split: time.Minute}, 3, false},
		{"lists alone", messengerd.ArchiveRules{Commands: "list", Start: "ignored", Messages: 10}, 13, true},
		{"off", messengerd.ArchiveRules{Commands: "off", Start: "ignored", Messages: 10}, 13, true},
	} {
		for _, empty := range []string{"chat", "iq", "list", "item-not-found"} {
			t.Run(c.name+", empty "+empty, func(t *testing.T) {
				if err := server.SetSwitches(func(s *messengerd.Switches) { s.Archive, s.EmptyArchive = c.rules, empty }); err != nil {
					t.Fatal(err)
				}
				entries, err := archive.Retrieve(ctx, session, annJID, 10)
				if (err != nil) != c.unknown || len(entries) != 13-c.first {
					t.Fatalf("%d entries, %v", len(entries), err)
				}
				for i, e := range entries {
					n := c.first + i
					at := begin.Add(time.Duration(n)*time.Second + time.Duration(n/3)*time.Hour)
					if e.Body != fmt.Sprintf("<%d> & so on", n) || e.Mine != (n%2 == 1) || !e.Time.Equal(at) {
						t.Errorf("message %d is %+v", n, e)
					}
				}
				none, err := archive.Retrieve(ctx, session, bobJID, 10)
				// A list alone tells that there is nothing, though it cannot tell what there is.
				if (err != nil) != (c.rules.Commands == "off") || len(none) != 0 {
					t.Errorf("with Bob: %+v, %v", none, err)
				}
				chats, err := archive.List(ctx, session)
				if lists := c.rules.Commands == "both" || c.rules.Commands == "list"; (err == nil) != lists || lists && (len(chats) != 1 || !chats[0].With.Equal(annJID)) {
					t.Errorf("the chats are %v, %v", chats, err)
				}
			})
		}
	}
}
