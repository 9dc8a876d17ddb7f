package oauthserver

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// knownScopes are those of section 4.2 with what the consent page says of each.
var knownScopes = map[string]string{
	"wl.messenger":       "Sign you in to Messenger and chat for you",
	"wl.offline_access":  "Stay signed in when you are not using the app",
	"wl.emails":          "See your e-mail address",
	"wl.basic":           "See your name and your contacts",
	"wl.signin":          "Recognise you without asking again",
	"wl.contacts_create": "Add contacts to your list",
}

// Response types, RFC 6749, 3.1.1.
const (
	responseCode  = "code"
	responseToken = "token"
)

// authorizeRequest is a checked request of the authorize address.
type authorizeRequest struct {
	client       Client
	redirect     string
	responseType string
	scope        []string
	state        string
	challenge    string
	method       string
	hint         string
	problem      string // error to send back to the client, if any
	description  string
}

// splitScope takes spaces and, as the service did, commas (section 4.2).
func splitScope(text string) []string {
	var scope []string
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		if !slices.Contains(scope, one) {
			scope = append(scope, one)
		}
	}
	return scope
}

// readAuthorize checks an authorize request. The second result is a sentence
// for a page when the user must not be sent back: the client or its address is
// not to be trusted (RFC 6749, 4.1.2.1).
func (s *Server) readAuthorize(r *http.Request) (authorizeRequest, string) {
	q := r.URL.Query()
	client, known := s.clients[q.Get("client_id")]
	switch {
	case q.Get("client_id") == "":
		return authorizeRequest{}, "The app did not say which app it is (client_id is missing)."
	case !known:
		return authorizeRequest{}, "No app with this client ID is registered here."
	case q.Get("redirect_uri") == "":
		return authorizeRequest{}, "The app did not say where to go afterwards (redirect_uri is missing)."
	case len(q["client_id"]) > 1 || len(q["redirect_uri"]) > 1:
		return authorizeRequest{}, "The app's request names its client ID or its redirect address twice."
	case !s.allowsRedirect(client, r, q.Get("redirect_uri")):
		return authorizeRequest{}, "The app asked to go to a redirect address that is not registered for it."
	}
	a := authorizeRequest{
		client:       client,
		redirect:     q.Get("redirect_uri"),
		responseType: q.Get("response_type"),
		scope:        splitScope(q.Get("scope")),
		state:        q.Get("state"),
		challenge:    q.Get("code_challenge"),
		method:       q.Get("code_challenge_method"),
		hint:         q.Get("login_hint"),
	}
	a.problem, a.description = a.check(q)
	return a, ""
}

// check finds what is wrong with the rest of the request, for the client to be told.
func (a *authorizeRequest) check(q url.Values) (problem, description string) {
	for name, values := range q {
		if len(values) > 1 {
			return "invalid_request", "The parameter " + name + " is there more than once."
		}
	}
	switch {
	case a.responseType == "":
		return "invalid_request", "The parameter response_type is missing."
	case a.responseType != responseCode && a.responseType != responseToken:
		return "unsupported_response_type", "The response type must be code or token."
	case slices.Contains(a.client.Forbidden, a.responseType):
		return "unauthorized_client", "This app may not use this response type."
	}
	for _, one := range a.scope {
		if knownScopes[one] == "" {
			return "invalid_scope", "There is no such scope: " + one
		}
	}
	switch {
	case !slices.Contains(a.scope, "wl.messenger"):
		return "invalid_scope", "The scope wl.messenger is missing."
	case a.responseType == responseToken && slices.Contains(a.scope, "wl.offline_access"):
		return "invalid_scope", "wl.offline_access cannot be used with response_type=token."
	}
	if a.challenge == "" && a.method != "" {
		return "invalid_request", "The parameter code_challenge is missing."
	}
	if a.challenge != "" {
		if a.method == "" {
			a.method = "plain" // RFC 7636, 4.3
		}
		if a.method != "plain" && a.method != "S256" {
			return "invalid_request", "The code challenge method must be S256 or plain."
		}
		if len(a.challenge) < 43 || len(a.challenge) > 128 {
			return "invalid_request", "The code challenge must have 43 to 128 characters."
		}
	}
	return "", ""
}

// showAuthorize shows the sign-in and consent form.
func (s *Server) showAuthorize(w http.ResponseWriter, r *http.Request) {
	a, refused := s.readAuthorize(r)
	switch {
	case refused != "":
		s.log.Info("Authorize request refused", "reason", refused)
		s.showProblem(w, http.StatusBadRequest, refused)
	case a.problem != "":
		s.sendBackError(w, a, a.problem, a.description)
	default:
		s.showForm(w, http.StatusOK, a, a.hint, "")
	}
}

// answerAuthorize handles the filled-in form.
func (s *Server) answerAuthorize(w http.ResponseWriter, r *http.Request) {
	a, refused := s.readAuthorize(r)
	if refused != "" {
		s.showProblem(w, http.StatusBadRequest, refused)
		return
	}
	if a.problem != "" {
		s.sendBackError(w, a, a.problem, a.description)
		return
	}
	// A page of another origin must not be able to consent for the user. The
	// password protects against that too; this costs nothing.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		s.showProblem(w, http.StatusForbidden, "This form was sent from another site. Please start again.")
		return
	}
	if err := r.ParseForm(); err != nil {
		s.showProblem(w, http.StatusBadRequest, "The form could not be read. Please start again.")
		return
	}
	email := strings.TrimSpace(r.PostForm.Get("email"))
	switch r.PostForm.Get("decision") {
	case "deny":
		s.log.Info("User denied access", "client", a.client.ID)
		s.sendBackError(w, a, "access_denied", "The user has denied access to the scope requested by the client application.")
		return
	case "allow":
	default:
		s.showForm(w, http.StatusBadRequest, a, email, "Please choose Allow or Deny.")
		return
	}
	account, ok := s.accounts.Authenticate(email, r.PostForm.Get("password"))
	if !ok {
		s.log.Info("Sign-in with a wrong address or password", "client", a.client.ID)
		s.showForm(w, http.StatusForbidden, a, email, "That e-mail address or password is not right. Please try again.")
		return
	}
	if forced := s.Switches().AuthorizeError; forced != "" {
		s.sendBackError(w, a, forced, "The service was told to answer with this error.")
		return
	}
	s.log.Info("User allowed access", "client", a.client.ID, "response_type", a.responseType)
	if a.responseType == responseToken {
		s.sendBackToken(w, a, account)
		return
	}
	text := s.grants.newCode(code{
		client: a.client.ID, redirect: a.redirect, account: account, scope: a.scope,
		challenge: a.challenge, method: a.method,
	})
	params := []string{"code", text, "lc", "1033"}
	s.sendBack(w, a, params)
}

// sendBackToken ends the implicit flow (section 4.3).
func (s *Server) sendBackToken(w http.ResponseWriter, a authorizeRequest, account string) {
	t := s.grants.issue(s.grants.consent(a.client.ID, account, a.scope))
	params := []string{"access_token", t.Value, "token_type", "bearer"}
	if s.Switches().ExpiresIn != ExpiresInAbsent {
		params = append(params, "expires_in", strconv.Itoa(s.secondsLeft(t.Expires)))
	}
	params = append(params, "scope", strings.Join(a.scope, " "), "authentication_token", s.authenticationToken(a.client, account, t.Expires))
	s.sendBack(w, a, params)
}

func (s *Server) sendBackError(w http.ResponseWriter, a authorizeRequest, problem, description string) {
	s.log.Info("Authorize request answered with an error", "client", a.client.ID, "error", problem)
	s.sendBack(w, a, []string{"error", problem, "error_description", description})
}

// sendBack redirects to the client with the parameters in the query, or in the
// fragment for the implicit flow. Escapes are in lower case as the service's
// were (section 4.3), which http.Redirect and url.Values would not do.
func (s *Server) sendBack(w http.ResponseWriter, a authorizeRequest, params []string) {
	if a.state != "" {
		params = append(params, "state", a.state)
	}
	var b strings.Builder
	b.WriteString(a.redirect)
	switch {
	case a.responseType == responseToken:
		b.WriteByte('#')
	case strings.Contains(a.redirect, "?"):
		b.WriteByte('&')
	default:
		b.WriteByte('?')
	}
	for i := 0; i < len(params); i += 2 {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(params[i] + "=" + escapeLower(params[i+1]))
	}
	w.Header().Set("Location", b.String())
	w.WriteHeader(http.StatusFound)
}

// escapeLower percent-encodes all but RFC 3986's unreserved characters, with
// hexadecimal digits in lower case.
func escapeLower(text string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// secondsLeft rounds up, so that a token of one minute says 60.
func (s *Server) secondsLeft(expires time.Time) int {
	return int((expires.Sub(s.now()) + time.Second - 1) / time.Second)
}

// authenticationToken is the signed JWT that stood beside the access token
// (section 4.3). It is not a credential for anything here.
func (s *Server) authenticationToken(c Client, account string, expires time.Time) string {
	cid, _, _ := s.accounts.Profile(account)
	return s.signJWT(map[string]any{
		"ver": 1, "iss": "urn:windows:liveid", "exp": expires.Unix(), "uid": cid,
		"urn:microsoft:appid": c.ID, "jti": base64.RawURLEncoding.EncodeToString(randomBytes(9)),
	})
}
