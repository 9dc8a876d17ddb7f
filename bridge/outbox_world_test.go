package bridge

import (
	"context"
	"crypto/x509"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/matrix"

	"matrix-messenger/database"
	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/messenger"
)

// outboxWorld is the outbox of an account that really signs in, to a service inside the process, and a database that
// really stores. There is nothing of Matrix in it, and no archive is read.
type outboxWorld struct {
	t       *testing.T
	cl      *Client
	raw     *dbutil.Database
	service *messengerd.Server
	account *xmppside.Account
}

const (
	mary = "mary@messenger.example"
	john = "john@messenger.example"
)

// patience is a safety net: nothing waits for it that works.
const patience = 30 * time.Second

// newOutboxWorld makes a world whose account is not signed in yet.
func newOutboxWorld(t *testing.T) *outboxWorld {
	t.Helper()
	cl := newTestHistory(t).cl
	w := &outboxWorld{t: t, cl: cl, raw: withDatabase(t, cl)}
	cl.c.run, cl.c.metrics = "run", newMetrics()
	cl.c.matrix = &matrix.Connector{Config: &bridgeconfig.Config{}} // nobody wants to know of success
	cl.c.Config.Archive.Enabled = false
	cl.people = newPeople(cl)
	cfg := messengerd.DefaultConfig()
	cfg.Listen, cfg.Domain, cfg.Switches.RedirectStage = "127.0.0.1:0", "messenger.example", "none"
	cfg.Accounts = []messengerd.AccountConfig{{Email: "me@contoso.example", JID: cl.id()}}
	for email, jid := range map[string]string{"mary@contoso.example": mary, "john@contoso.example": john} {
		cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{Email: email, JID: jid, Contact: true})
		cfg.Accounts[0].Contacts = append(cfg.Accounts[0].Contacts, messengerd.ContactConfig{Account: jid, Subscription: "both"})
	}
	var err error
	if w.service, err = messengerd.New(cfg); err == nil {
		err = w.service.Start(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.service.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.service.CAPEM())
	profile, err := messenger.NewProfile(messenger.Options{Domain: cfg.Domain, Address: w.service.Addr(), Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	service, err := xmppside.NewService(profile, xmppside.ServiceOptions{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	w.account = xmppside.NewAccount(xmppside.AccountConfig{
		Service: service, Resource: "bridge", Tokens: onceToken(w.service.IssueToken(cl.id())), Handler: w, Log: zerolog.Nop(),
	})
	cl.running = &running{account: w.account}
	return w
}

// Handle implements xmppside.Handler for what concerns the outbox.
func (w *outboxWorld) Handle(ctx context.Context, ev xmppside.Event) error {
	switch ev := ev.(type) {
	case xmppside.SignedIn:
		w.cl.history.begin(ev.Session, time.Now())
	case xmppside.StateEvent:
		w.cl.outbox.onState(ev)
	case xmppside.MessageError:
		return w.cl.outbox.refused(ctx, ev)
	}
	return nil
}

// signIn runs the account to the end of the test and returns when it has a session.
func (w *outboxWorld) signIn() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { w.account.Run(ctx) })
	w.t.Cleanup(func() {
		cancel()
		ended.Wait()
		w.cl.outbox.stop()
	})
	me := w.service.Account(w.cl.id())
	w.within(func(ctx context.Context) error { return me.WaitOnline(ctx) })
	// The service knows of the session a moment before we do.
	w.within(func(ctx context.Context) error {
		for w.account.Session() == nil {
			if !sleep(ctx, time.Millisecond) {
				return ctx.Err()
			}
		}
		return nil
	})
}

func (w *outboxWorld) within(wait func(ctx context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := wait(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// queue stores a message whose text is also its event's and its stanza's ID.
func (w *outboxWorld) queue(chat, text string) database.OutboxMessage {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.cl.c.db.Outbox.Enqueue(ctx, []database.OutboxMessage{{
		LoginID: w.cl.id(), ChatID: chat, EventID: "$" + text, StanzaID: text, Parts: 1, Body: []byte(text),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.row(text)
}

func (w *outboxWorld) row(text string) database.OutboxMessage {
	w.t.Helper()
	row, found, err := w.cl.c.db.Outbox.ByStanzaID(w.t.Context(), w.cl.id(), text)
	if err != nil || !found {
		w.t.Fatalf("%q is not in the outbox: %v", text, err)
	}
	return row
}

// receives waits until a contact has exactly these texts.
func (w *outboxWorld) receives(chat string, texts ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	received, err := w.service.Account(chat).WaitReceived(ctx, len(texts))
	var got []string
	for _, r := range received {
		got = append(got, r.Body)
	}
	if err != nil || !slices.Equal(got, texts) {
		w.t.Fatalf("%s has %q instead of %q (%v)", chat, got, texts, err)
	}
}

// rests waits until the worker has ended because it found nothing more to do.
func (w *outboxWorld) rests() {
	w.t.Helper()
	o := w.cl.outbox
	o.mu.Lock()
	running, done := o.cancel != nil, o.done
	o.mu.Unlock()
	if !running {
		return
	}
	select {
	case <-done:
	case <-time.After(patience):
		w.t.Fatal("the worker has something to do for ever")
	}
}

// exec changes the database behind the store's back.
func (w *outboxWorld) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.raw.Exec(context.Background(), query, args...); err != nil {
		w.t.Error(err)
	}
}

// whenLogged runs a function whenever the client logs a line with a word in it.
func (w *outboxWorld) whenLogged(word string, run func()) {
	w.cl.log = zerolog.New(hook{word: word, run: run})
}
