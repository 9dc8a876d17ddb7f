package oauthserver

import (
	"net/http"
	"slices"
	"strings"

	"matrix-messenger/messengerd/tokens"
)

// profile is what /v5.0/me tells (section 4.1).
type profile struct {
	ID     string         `json:"id"`
	Name   string         `json:"name,omitempty"`
	Emails *profileEmails `json:"emails,omitempty"`
}

type profileEmails struct {
	Account string `json:"account"`
}

type profileError struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// serveProfile answers GET /v5.0/me; the access token comes as a parameter or
// as a Bearer token. The e-mail address needs the scope wl.emails, unless the
// token comes from the configuration and so has no scope.
func (s *Server) serveProfile(w http.ResponseWriter, r *http.Request) {
	access := r.URL.Query().Get("access_token")
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		access = strings.TrimSpace(value)
	}
	account, status := s.tokens.Lookup(access)
	if status != tokens.Valid {
		var refusal profileError
		refusal.Error.Code, refusal.Error.Message = "request_token_invalid", "The access token is not valid."
		switch {
		case access == "":
			refusal.Error.Code, refusal.Error.Message = "request_token_missing", "The access token is missing."
		case status == tokens.Expired:
			refusal.Error.Code, refusal.Error.Message = "request_token_expired", "The access token has expired."
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeJSON(w, http.StatusUnauthorized, refusal)
		return
	}
	cid, email, name := s.accounts.Profile(account)
	answer := profile{ID: cid, Name: name}
	if scope, issued := s.grants.scopeOf(access); !issued || slices.Contains(scope, "wl.emails") {
		answer.Emails = &profileEmails{Account: email}
	}
	writeJSON(w, http.StatusOK, answer)
}

// serveRevoke takes back a token (RFC 7009). Unknown tokens get a success too,
// as section 2.2 there asks.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This method is not allowed here.", http.StatusMethodNotAllowed)
		return
	}
	params, problem := tokenParams(r)
	if problem == "" && params.Get("token") == "" {
		problem = "The parameter token is missing."
	}
	if problem != "" {
		s.writeTokenError(w, tokenError{Code: "invalid_request", Description: problem})
		return
	}
	client, fault := s.authenticateClient(r, params)
	if fault != nil {
		s.writeTokenError(w, *fault)
		return
	}
	s.grants.revokeToken(params.Get("token"), client.ID)
	s.log.Info("Token revoked", "client", client.ID)
	w.WriteHeader(http.StatusOK)
}

// serveLogout sends a client's user back to it, or shows a page. There is no
// session to end: each authorization asks for the password.
func (s *Server) serveLogout(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if client, known := s.clients[q.Get("client_id")]; known && s.allowsRedirect(client, r, q.Get("redirect_uri")) {
		w.Header().Set("Location", q.Get("redirect_uri"))
		w.WriteHeader(http.StatusFound)
		return
	}
	s.showPage(w, http.StatusOK, page{Title: "Signed out", Text: "You are signed out. You can close this page."})
}
