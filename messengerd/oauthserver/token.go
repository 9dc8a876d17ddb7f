package oauthserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// tokenAnswer is a success of RFC 6749, 5.1, its fields in the order of section 4.4.
type tokenAnswer struct {
	TokenType           string          `json:"token_type"`
	ExpiresIn           json.RawMessage `json:"expires_in,omitempty"`
	Scope               string          `json:"scope"`
	AccessToken         string          `json:"access_token"`
	RefreshToken        string          `json:"refresh_token,omitempty"`
	AuthenticationToken string          `json:"authentication_token"`
}

// tokenError is an error of RFC 6749, 5.2.
type tokenError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
	basic       bool   // the client used HTTP Basic
}

// serveToken answers the token addresses, by GET and POST (section 4.4).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	sw := s.Switches()
	if s.tokenFault(w, r, sw) {
		return
	}
	params, problem := tokenParams(r)
	if problem == "" && sw.TokenError != "" {
		s.writeTokenError(w, tokenError{Code: sw.TokenError, Description: "The service was told to answer with this error."})
		return
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
	grantType := params.Get("grant_type")
	var to *grant
	switch {
	case grantType == "":
		fault = &tokenError{Code: "invalid_request", Description: "The parameter grant_type is missing."}
	case grantType != "authorization_code" && grantType != "refresh_token":
		fault = &tokenError{Code: "unsupported_grant_type", Description: "The grant type must be authorization_code or refresh_token."}
	case slices.Contains(client.Forbidden, grantType):
		fault = &tokenError{Code: "unauthorized_client", Description: "This app may not use this grant type."}
	case grantType == "authorization_code":
		to, fault = s.redeemCode(client, params)
	default:
		to, fault = s.refresh(client, params, sw)
	}
	if fault != nil {
		s.writeTokenError(w, *fault)
		return
	}
	s.log.Info("Token issued", "client", client.ID, "grant_type", grantType)
	s.writeTokens(w, client, to, sw)
}

// tokenFault plays the switch "token address".
func (s *Server) tokenFault(w http.ResponseWriter, r *http.Request, sw Switches) bool {
	allow := "GET, POST"
	switch sw.TokenAddress {
	case TokenBusy:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Too many requests.", http.StatusTooManyRequests)
		return true
	case TokenBroken:
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return true
	case TokenNotJSON:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Maintenance</title><p>We will be back soon.</p>")
		return true
	case TokenGETOnly:
		allow = "GET"
	case TokenPOSTOnly:
		allow = "POST"
	}
	if slices.Contains(strings.Split(allow, ", "), r.Method) {
		return false
	}
	w.Header().Set("Allow", allow)
	http.Error(w, "This method is not allowed here.", http.StatusMethodNotAllowed)
	return true
}

// tokenParams reads the request's parameters: the body's of a POST, the query's
// of a GET. The second result says what is wrong with them.
func tokenParams(r *http.Request) (url.Values, string) {
	var params url.Values
	if r.Method == http.MethodPost {
		if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
			return nil, "The body must be application/x-www-form-urlencoded."
		}
		if err := r.ParseForm(); err != nil {
			return nil, "The body could not be read."
		}
		params = r.PostForm
	} else {
		var err error
		if params, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, "The query could not be read."
		}
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, "The parameter " + name + " is there more than once."
		}
		if values[0] == "" {
			delete(params, name) // RFC 6749, 3.2: treated as if left out
		}
	}
	return params, ""
}

// authenticateClient takes ID and secret from the body or from HTTP Basic.
func (s *Server) authenticateClient(r *http.Request, params url.Values) (Client, *tokenError) {
	id, secret := params.Get("client_id"), params.Get("client_secret")
	_, hasHeader := r.Header["Authorization"]
	if hasHeader {
		user, password, ok := r.BasicAuth()
		// RFC 6749, 2.3.1: both were form-encoded first.
		user, err1 := url.QueryUnescape(user)
		password, err2 := url.QueryUnescape(password)
		if !ok || err1 != nil || err2 != nil {
			return Client{}, &tokenError{Code: "invalid_client", Description: "The Authorization header could not be read.", basic: true}
		}
		if secret != "" || id != "" && id != user {
			return Client{}, &tokenError{Code: "invalid_request", Description: "The client identified itself in two ways."}
		}
		id, secret = user, password
	}
	client, known := s.clients[id]
	switch {
	case id == "":
		return Client{}, &tokenError{Code: "invalid_client", Description: "The parameter client_id is missing.", basic: hasHeader}
	case !known:
		return Client{}, &tokenError{Code: "invalid_client", Description: "There is no such client.", basic: hasHeader}
	case subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1:
		return Client{}, &tokenError{Code: "invalid_client", Description: "The client secret is wrong.", basic: hasHeader}
	}
	return client, nil
}

// redeemCode handles grant_type=authorization_code (RFC 6749, 4.1.3).
func (s *Server) redeemCode(client Client, params url.Values) (*grant, *tokenError) {
	for _, name := range []string{"code", "redirect_uri"} {
		if params.Get(name) == "" {
			return nil, &tokenError{Code: "invalid_request", Description: "The parameter " + name + " is missing."}
		}
	}
	to, ok := s.grants.redeem(params.Get("code"), func(c *code) bool {
		return c.client == client.ID && c.redirect == params.Get("redirect_uri") &&
			verifies(c.challenge, c.method, params.Get("code_verifier"))
	})
	if !ok {
		return nil, &tokenError{Code: "invalid_grant", Description: "The code is wrong, expired, was used before or belongs to another request."}
	}
	return to, nil
}

// verifies checks PKCE (RFC 7636, 4.6). A verifier without a challenge is
// refused too, so that a stripped challenge is noticed (RFC 9700, 4.8.2).
func verifies(challenge, method, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(challenge), []byte(verifier)) == 1
}

// refresh handles grant_type=refresh_token (RFC 6749, 6).
func (s *Server) refresh(client Client, params url.Values, sw Switches) (*grant, *tokenError) {
	text := params.Get("refresh_token")
	if text == "" {
		return nil, &tokenError{Code: "invalid_request", Description: "The parameter refresh_token is missing."}
	}
	if sw.RefreshToken == RefreshExpired {
		return nil, &tokenError{Code: "invalid_grant", Description: "The refresh token has expired."}
	}
	wider := ""
	to, reused := s.grants.use(text, client.ID, sw.RefreshToken == RefreshReplaced, func(of *grant) bool {
		for _, one := range splitScope(params.Get("scope")) {
			if !slices.Contains(of.scope, one) {
				wider = one
			}
		}
		return wider == ""
	})
	switch {
	case reused:
		s.log.Warn("A refresh token was used twice, its consent is revoked", "client", client.ID)
		return nil, &tokenError{Code: "invalid_grant", Description: "The refresh token was used before."}
	case to == nil:
		return nil, &tokenError{Code: "invalid_grant", Description: "The refresh token is wrong or was revoked."}
	case wider != "":
		return nil, &tokenError{Code: "invalid_scope", Description: "The user did not allow the scope " + wider}
	}
	return to, nil
}

func (s *Server) writeTokens(w http.ResponseWriter, client Client, to *grant, sw Switches) {
	t := s.grants.issue(to)
	answer := tokenAnswer{
		TokenType:           "bearer",
		Scope:               strings.Join(to.scope, " "),
		AccessToken:         t.Value,
		AuthenticationToken: s.authenticationToken(client, to.account, t.Expires),
	}
	left := strconv.Itoa(s.secondsLeft(t.Expires))
	switch sw.ExpiresIn {
	case ExpiresInString:
		left = strconv.Quote(left)
	case ExpiresInAbsent:
		left = ""
	}
	answer.ExpiresIn = json.RawMessage(left)
	if slices.Contains(to.scope, "wl.offline_access") && sw.RefreshToken != RefreshNotIssued {
		answer.RefreshToken = s.grants.refreshToken(to)
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) writeTokenError(w http.ResponseWriter, e tokenError) {
	s.log.Info("Token request refused", "error", e.Code, "reason", e.Description)
	status := http.StatusBadRequest
	if e.Code == "invalid_client" && e.basic {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		status = http.StatusUnauthorized
	}
	writeJSON(w, status, e)
}

// writeJSON writes an answer with the service's spelling of the content type.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer) // a client that has gone away is not our concern
}

// signJWT makes a compact JWS with HMAC-SHA256 (RFC 7515).
func (s *Server) signJWT(claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		return ""
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	m := hmac.New(sha256.New, s.signKey)
	m.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}
