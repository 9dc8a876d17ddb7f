package scenario

import (
	"context"
	"net"
	"slices"
	"strings"

	"matrix-messenger/internal/freeport"
	"matrix-messenger/messengerd"
)

const (
	serviceDomain = "messenger.example"
	userEmail     = "alice@contoso.example"
	// userToken is good from the start and over restarts of the service.
	userToken = "EwAoAwAAscenarioTOKENalice+/AAAA=="
)

// people are who has an account besides the user. A stranger is not the user's contact.
var people = []struct {
	name, email, jid, display string
	stranger                  bool
}{
	{"mary", "mary@contoso.example", "2000@" + serviceDomain, "Mary", false},
	{"john", "john@contoso.example", "3000@" + serviceDomain, "John Doe", false},
	{"zoe", "zoe@contoso.example", "4000@" + serviceDomain, "Zoe", true},
}

// serviceConfig is the service with Alice and her contacts.
func (s *Scenario) serviceConfig() *messengerd.Config {
	cfg := messengerd.DefaultConfig()
	cfg.Listen, cfg.Domain = net.JoinHostPort(s.host, "0"), serviceDomain
	if s.serviceAddr != "" {
		cfg.Listen = s.serviceAddr
	}
	cfg.Certificate.CAFile, cfg.State = s.file("messengerd-ca.pem"), s.file("messengerd.json")
	user := messengerd.AccountConfig{Email: userEmail, JID: "1000@" + serviceDomain, Name: "Alice", Password: "secret"}
	for _, person := range people {
		cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{Email: person.email, JID: person.jid, Name: person.display, Contact: true})
		if !person.stranger {
			user.Contacts = append(user.Contacts, messengerd.ContactConfig{Account: person.email, Subscription: "both"})
		}
	}
	cfg.Accounts = append(cfg.Accounts, user)
	cfg.Tokens = []messengerd.TokenConfig{{Account: userEmail, Token: userToken}}
	if s.opts.Service != nil {
		s.opts.Service(cfg)
	}
	return cfg
}

func (s *Scenario) startService() {
	s.t.Helper()
	var options []messengerd.Option
	if s.opts.Clock != nil {
		options = append(options, messengerd.WithClock(s.opts.Clock))
	}
	if s.opts.Trace != nil {
		options = append(options, messengerd.WithTrace(s.opts.Trace))
	}
	var service *messengerd.Server
	err := freeport.Retry(StepTimeout, func() (err error) { // while it was down, somebody may have got its port
		if service, err = messengerd.New(s.serviceConfig(), options...); err == nil {
			err = service.Start(context.Background())
		}
		return err
	})
	if err != nil {
		s.t.Fatalf("service: %v", err)
	}
	s.Service, s.serviceAddr = service, service.Addr()
	for _, person := range people {
		if s.contacts[person.name] == nil {
			s.contacts[person.name] = &contact{name: person.name, jid: person.jid}
		}
	}
}

// ServiceGoesDown shuts the service down; what it knows is kept.
func (s *Scenario) ServiceGoesDown() {
	s.t.Helper()
	for _, c := range s.contacts {
		c.earlier = append(c.earlier, s.Contact(c.name).Received()...)
	}
	if err := s.Service.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// ServiceComesBack starts the service again at the same address.
func (s *Scenario) ServiceComesBack() {
	s.t.Helper()
	s.startService()
}

// Contact is a contact's account, to act as the contact.
func (s *Scenario) Contact(name string) *messengerd.Account {
	s.t.Helper()
	account := s.Service.Account(s.contact(name).jid)
	if account == nil {
		s.t.Fatalf("the service has no account for %s", name)
	}
	return account
}

// User is Alice's own account.
func (s *Scenario) User() *messengerd.Account { return s.Service.Account(userEmail) }

func (s *Scenario) contact(name string) *contact {
	s.t.Helper()
	c := s.contacts[name]
	if c == nil {
		s.t.Fatalf("there is no contact %q", name)
	}
	return c
}

// ServiceSends lets a contact write to the user.
func (s *Scenario) ServiceSends(name string, texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if err := s.Contact(name).SendMessage(userEmail, text); err != nil {
			s.t.Fatal(err)
		}
	}
}

// ConnectionBreaks cuts the user's sessions at the service.
func (s *Scenario) ConnectionBreaks() { s.Service.CutSessions(userEmail) }

// SessionIsUp waits until the user has a session that has sent presence.
func (s *Scenario) SessionIsUp() {
	s.t.Helper()
	s.awaitAccount(s.User(), "the user's session", func() bool {
		return slices.ContainsFunc(s.User().Sessions(), func(info messengerd.SessionInfo) bool { return info.Presence })
	})
}

// awaitAccount waits until something holds at the service that is about an account.
func (s *Scenario) awaitAccount(account *messengerd.Account, what string, holds func() bool) {
	s.t.Helper()
	s.within(what, func(ctx context.Context) error { return account.Wait(ctx, holds) })
}

// bodies are all texts a contact has received.
func (s *Scenario) bodies(c *contact, now []messengerd.Received) []string {
	texts := make([]string, 0, len(c.earlier)+len(now))
	for _, r := range slices.Concat(c.earlier, now) {
		texts = append(texts, r.Body)
	}
	return texts
}

// ContactReceives waits until the contact has also received these texts, and checks that it received everything so far once and
// in order.
func (s *Scenario) ContactReceives(name string, texts ...string) {
	s.t.Helper()
	c := s.contact(name)
	c.received = append(c.received, texts...)
	ctx, cancel := s.step()
	defer cancel()
	got, err := s.Contact(name).WaitReceived(ctx, len(c.received)-len(c.earlier))
	if all := s.bodies(c, got); err != nil || !slices.Equal(all, c.received) {
		s.t.Fatalf("%s received\n\t%s\ninstead of\n\t%s\n%v", name, strings.Join(all, "\n\t"), strings.Join(c.received, "\n\t"), err)
	}
}
