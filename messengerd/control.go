package messengerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Bounds of control requests.
const (
	controlBody = 256 << 10
	longestPoll = 60 * time.Second
)

// controlHandler is the control interface: the methods of [Account] and the
// faults of [Server] over HTTP and JSON, for programs that are not Go tests.
// docs/messengerd.md lists every verb.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sessions", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Sessions()) })
	mux.HandleFunc("GET /switches", func(w http.ResponseWriter, _ *http.Request) { answer(w, switchesJSON(s.sw())) })
	mux.HandleFunc("PATCH /switches", s.patchSwitches)
	mux.HandleFunc("GET /accounts", s.listAccounts)
	mux.HandleFunc("POST /accounts", s.postAccount)
	mux.HandleFunc("POST /cut", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]int{"cut": s.CutSessions()}) })
	mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.CAPEM())
	})
	for verb, do := range accountVerbs {
		mux.HandleFunc("POST /accounts/{id}/"+verb, s.withAccount(do))
	}
	mux.HandleFunc("GET /accounts/{id}/received", s.withAccount(getReceived))
	mux.HandleFunc("GET /accounts/{id}/sessions", s.withAccount(func(_ *http.Request, a *Account, _ controlRequest) (any, error) { return a.Sessions(), nil }))
	mux.HandleFunc("GET /accounts/{id}/contacts", s.withAccount(func(_ *http.Request, a *Account, _ controlRequest) (any, error) { return a.Contacts(), nil }))
	return http.MaxBytesHandler(mux, controlBody)
}

// controlRequest holds the parameters of every verb; each uses some.
type controlRequest struct {
	To        string `json:"to"`
	From      string `json:"from"`
	Body      string `json:"body"`
	State     string `json:"state"`
	Status    string `json:"status"`
	Nick      string `json:"nick"`
	Text      string `json:"text"`
	Contact   string `json:"contact"`
	Name      string `json:"name"`
	Condition string `json:"condition"`
	Target    string `json:"target"`
	XML       string `json:"xml"`
	Ago       string `json:"ago"`
}

type accountVerb func(*http.Request, *Account, controlRequest) (any, error)

type done struct {
	OK bool `json:"ok"`
}

// accountVerbs are the POST verbs below /accounts/{id}/.
var accountVerbs = map[string]accountVerb{
	"message": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		return done{true}, a.SendMessage(q.To, q.Body)
	},
	"presence": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		return done{true}, a.SetPresence(q.State, q.Status)
	},
	"typing": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		return done{true}, a.SetTyping(q.To, q.State)
	},
	"invite": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		a.Invite(q.To, q.Nick, q.Text)
		return done{true}, nil
	},
	"accept": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		a.Accept(q.From)
		return done{true}, nil
	},
	"decline": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		a.Decline(q.From)
		return done{true}, nil
	},
	"remove": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		a.Remove(q.Contact)
		return done{true}, nil
	},
	"rename": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		a.Rename(q.Contact, q.Name)
		return done{true}, nil
	},
	"history": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		ago, err := time.ParseDuration(q.Ago)
		if err != nil && q.Ago != "" {
			return nil, fmt.Errorf("ago: %w", err)
		}
		return done{true}, a.srv.AddHistory(a.jid, q.To, q.Body, a.srv.now().Add(-ago))
	},
	"cut": func(_ *http.Request, a *Account, _ controlRequest) (any, error) {
		return map[string]int{"cut": a.srv.CutSessions(a.jid)}, nil
	},
	"stream_error": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		return done{true}, a.srv.StreamError(a.jid, q.Condition, q.Text)
	},
	"redirect": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		a.srv.RedirectSessions(a.jid, q.Target)
		return done{true}, nil
	},
	"raw": func(_ *http.Request, a *Account, q controlRequest) (any, error) {
		return map[string]int{"sessions": a.srv.SendRaw(a.jid, q.XML)}, nil
	},
	"token": func(_ *http.Request, a *Account, _ controlRequest) (any, error) {
		t := a.srv.tokens.Issue(a.jid)
		return map[string]any{"token": t.Value, "jid": a.jid, "expires": t.Expires}, nil
	},
	"revoke": func(_ *http.Request, a *Account, _ controlRequest) (any, error) {
		a.srv.RevokeTokens(a.jid)
		return done{true}, nil
	},
}

// RevokeTokens takes back every access and refresh token of an account.
func (s *Server) RevokeTokens(accountID string) {
	a := s.Account(accountID)
	if a == nil {
		return
	}
	s.tokens.RevokeAccount(a.jid)
	if o := s.OAuth(); o != nil {
		o.RevokeAccount(a.jid)
	}
}

// withAccount finds the account, reads the body and writes the answer.
func (s *Server) withAccount(do accountVerb) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := s.Account(r.PathValue("id"))
		if a == nil {
			complain(w, http.StatusNotFound, fmt.Errorf("there is no account %q", r.PathValue("id")))
			return
		}
		var q controlRequest
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil && !errors.Is(err, io.EOF) {
			complain(w, http.StatusBadRequest, err)
			return
		}
		result, err := do(r, a, q)
		if err != nil {
			complain(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, result)
	}
}

// getReceived gives the messages with a number above ?after=, waiting up to
// ?wait= for the first of them.
func getReceived(r *http.Request, a *Account, _ controlRequest) (any, error) {
	after, err := strconv.Atoi(r.FormValue("after"))
	if err != nil && r.FormValue("after") != "" {
		return nil, fmt.Errorf("after: %q is not a number", r.FormValue("after"))
	}
	if text := r.FormValue("wait"); text != "" {
		wait, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("wait: %w", err)
		}
		ctx, cancel := context.WithTimeout(r.Context(), min(wait, longestPoll))
		defer cancel()
		_, _ = a.WaitReceived(ctx, after+1) // nothing new is an answer too
	}
	list := []Received{}
	for _, m := range a.Received() {
		if m.Seq > after {
			list = append(list, m)
		}
	}
	return list, nil
}

func (s *Server) patchSwitches(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	var bad error
	err = s.SetSwitches(func(sw *Switches) {
		changed := *sw
		if bad = decodeStrict(text, &changed, "switches"); bad == nil { // JSON is YAML
			*sw = changed
		}
	})
	if err = errors.Join(bad, err); err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	answer(w, switchesJSON(s.sw()))
}

func (s *Server) listAccounts(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		JID     string `json:"jid"`
		Email   string `json:"email,omitempty"`
		Name    string `json:"name"`
		Contact bool   `json:"contact"`
	}
	list := []entry{}
	for _, a := range s.accounts() {
		list = append(list, entry{a.jid, a.cfg.Email, a.Name(), a.cfg.Contact})
	}
	answer(w, list)
}

func (s *Server) postAccount(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	var cfg AccountConfig
	if err == nil {
		err = decodeStrict(text, &cfg, "")
	}
	var a *Account
	if err == nil {
		a, err = s.AddAccount(cfg)
	}
	if err != nil {
		complain(w, http.StatusBadRequest, err)
		return
	}
	answer(w, map[string]string{"jid": a.jid})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

func complain(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
