package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"matrix-messenger/messengerd"
)

// serviceSetup is how the role `service` sets messengerd up.
type serviceSetup struct {
	Crowd   crowd
	Listen  string
	CAFile  string
	Online  bool // the contacts are online from the start
	History int  // archived messages in each of the first HistoryChats chats
	Chats   int
}

// service is messengerd as a process of its own.
type service struct {
	*role
	Addr string
}

// startService returns when the service can be connected to.
func startService(setup serviceSetup, log *os.File) (*service, error) {
	r, err := startRole(roleService, log)
	if err != nil {
		return nil, err
	}
	s := &service{role: r}
	if err = s.call("start", setup, &s.Addr); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

// host is messengerd inside the role.
type host struct {
	setup  serviceSetup
	server *messengerd.Server
	gate   *countingListener
}

func serveService() error {
	h := &host{}
	err := operations{
		"start":    operation(h.start),
		"attempts": operation(func(none) ([]time.Time, error) { return h.gate.taken(), nil }),
		"online":   operation(h.online),
		"say":      operation(h.say),
		"heard":    operation(h.heard),
		"raw":      operation(h.raw),
	}.serve()
	if h.server != nil {
		err = errors.Join(err, h.server.Close())
	}
	return err
}

func (h *host) start(setup serviceSetup) (string, error) {
	h.setup = setup
	cfg := messengerd.DefaultConfig()
	cfg.Domain, cfg.Certificate.CAFile = serviceDomain, setup.CAFile
	cfg.Switches.RedirectStage = "none"
	presence := "offline"
	if setup.Online {
		presence = "available"
	}
	for i := range setup.Crowd.Pool {
		cfg.Accounts = append(cfg.Accounts, messengerd.AccountConfig{
			JID: contactJID(i), Name: contactName(i), Contact: true, Presence: presence,
		})
	}
	for i := range setup.Crowd.Sessions {
		account := messengerd.AccountConfig{JID: userJID(i), Name: userName(i)}
		for k := range setup.Crowd.Contacts {
			account.Contacts = append(account.Contacts, messengerd.ContactConfig{Account: contactJID(setup.Crowd.contact(i, k))})
		}
		cfg.Accounts = append(cfg.Accounts, account)
		cfg.Tokens = append(cfg.Tokens, messengerd.TokenConfig{Account: account.JID, Token: userToken(i)})
	}
	address := setup.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	h.gate = &countingListener{Listener: listener}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if h.server, err = messengerd.New(cfg, messengerd.WithListener(h.gate), messengerd.WithLogger(log)); err != nil {
		return "", err
	}
	for _, c := range setup.Crowd.chats(setup.Chats) {
		for n := range setup.History {
			at := time.Now().Add(-time.Duration(setup.History-n) * time.Minute)
			if err = h.server.AddHistory(contactJID(c.Contact), userJID(c.User), stamped("archived", n), at); err != nil {
				return "", err
			}
		}
	}
	return listener.Addr().String(), h.server.Start(context.Background())
}

// countingListener notes when connections came.
type countingListener struct {
	net.Listener
	mu    sync.Mutex
	times []time.Time
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.times = append(l.times, time.Now())
		l.mu.Unlock()
	}
	return conn, err
}

func (l *countingListener) taken() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Time(nil), l.times...)
}

// online lets every contact come online, which every session is told.
func (h *host) online(none) (none, error) {
	for i := range h.setup.Crowd.Pool {
		if err := h.server.Account(contactJID(i)).SetPresence("away", "out for lunch"); err != nil {
			return none{}, err
		}
	}
	return none{}, nil
}

// talk is what is said in many chats, in turns.
type talk struct {
	Series string
	Chats  []chat
	Each   int
	Pause  time.Duration // between two messages
}

// say lets contacts write.
func (h *host) say(t talk) (none, error) {
	for n := range t.Each {
		for _, c := range t.Chats {
			if err := h.server.Account(contactJID(c.Contact)).SendMessage(userJID(c.User), stamped(t.Series, n)); err != nil {
				return none{}, err
			}
			time.Sleep(t.Pause)
		}
	}
	return none{}, nil
}

// heard is what the contacts have received of a series. With Count alone the single times are left out.
func (h *host) heard(q struct {
	Series string
	Count  bool
},
) (arrivals, error) {
	var all arrivals
	for i := range h.setup.Crowd.Pool {
		for _, message := range h.server.Account(contactJID(i)).Received() {
			if q.Count {
				if strings.HasPrefix(message.Body, q.Series+" ") {
					all.Count++
				}
			} else if series, said, ok := readStamp(message.Body); ok && series == q.Series {
				all.add(said, message.Time)
			}
		}
	}
	return all, nil
}

// raw writes the same stanza to an account's stream many times, in portions that the stream's queue can hold.
func (h *host) raw(q struct {
	User   int
	Stanza string
	Times  int
},
) (none, error) {
	const portion = 100
	for left := q.Times; left > 0; left -= portion {
		if h.server.SendRaw(userJID(q.User), strings.Repeat(q.Stanza, min(portion, left))) == 0 {
			return none{}, errors.New("the account has no session")
		}
	}
	return none{}, nil
}
