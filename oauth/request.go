package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAnswer bounds an answer of the token address, in bytes.
	maxAnswer = 256 << 10
	// assumedLife is an access token's life when the answer does not say (section 4.4).
	assumedLife = time.Hour
	// longestLife keeps absurd answers out of the arithmetic.
	longestLife = 10 * 365 * 24 * time.Hour
	// longestRetryAfter is the longest wait that a service may ask for.
	longestRetryAfter = time.Hour
)

// tokenAnswer is an answer of the token address, success or error, as loosely
// typed as services write it.
type tokenAnswer struct {
	AccessToken  string          `json:"access_token"`
	TokenType    string          `json:"token_type"`
	ExpiresIn    json.RawMessage `json:"expires_in"`
	Scope        json.RawMessage `json:"scope"`
	RefreshToken string          `json:"refresh_token"`
	Error        json.RawMessage `json:"error"`
	Description  json.RawMessage `json:"error_description"`
}

// Exchange trades an attempt's code for tokens. The attempt is then used up,
// except after an error of class Transient.
func (c *Client) Exchange(ctx context.Context, a *Attempt, code string) (Tokens, error) {
	if !a.claim() {
		return Tokens{}, endedError("This sign-in was finished before or has expired. Please start the login again.")
	}
	t, err := c.exchange(ctx, a, code)
	if ClassOf(err) == Transient {
		a.release()
	}
	return t, err
}

func (c *Client) exchange(ctx context.Context, a *Attempt, code string) (Tokens, error) {
	params := url.Values{
		"client_id":     {c.cfg.ClientID},
		"redirect_uri":  {c.cfg.RedirectURL},
		"code":          {code},
		"grant_type":    {"authorization_code"},
		"code_verifier": {a.verifier},
	}
	t, err := c.ask(ctx, "code exchange", params, true)
	if err == nil && len(t.Scope) == 0 {
		t.Scope = slices.Clone(c.cfg.Scopes) // RFC 6749, 5.1: as asked
	}
	return t, err
}

// Refresh trades the refresh token for new tokens. If the answer has no new
// refresh token, the old one is kept. Store the result before using it: the old
// refresh token may be worth nothing any more.
func (c *Client) Refresh(ctx context.Context, old Tokens) (Tokens, error) {
	if old.Refresh == "" {
		return Tokens{}, &Error{Class: LoginNeeded, doing: "refresh", detail: "there is no refresh token"}
	}
	params := url.Values{
		"client_id":     {c.cfg.ClientID},
		"redirect_uri":  {c.cfg.RedirectURL},
		"refresh_token": {old.Refresh},
		"grant_type":    {"refresh_token"},
	}
	// Never wider than granted: when that is not known, the service keeps to it
	// by itself if nothing is asked (RFC 6749, 6).
	if len(old.Scope) > 0 {
		params.Set("scope", strings.Join(old.Scope, " "))
	}
	t, err := c.ask(ctx, "refresh", params, false)
	if err != nil {
		return Tokens{}, err
	}
	if t.Refresh == "" {
		t.Refresh = old.Refresh
	}
	if len(t.Scope) == 0 {
		t.Scope = slices.Clone(old.Scope)
	}
	return t, nil
}

// ask sends one request to the token address, by POST and, if that is allowed
// and POST is what the address dislikes, by GET.
func (c *Client) ask(ctx context.Context, doing string, params url.Values, onCode bool) (Tokens, error) {
	if c.cfg.ClientSecret != "" {
		params.Set("client_secret", c.cfg.ClientSecret)
	}
	secrets := []string{
		params.Get("code"), params.Get("refresh_token"), params.Get("code_verifier"), c.cfg.ClientSecret,
	}
	t, err := c.send(ctx, doing, http.MethodPost, params, onCode, secrets)
	var e *Error
	if c.cfg.GetFallback && errors.As(err, &e) && e.postUnusable() {
		return c.send(ctx, doing, http.MethodGet, params, onCode, secrets)
	}
	return t, err
}

// postUnusable recognises an address that takes only GET: it answers, but with
// nothing of OAuth and not because it is overloaded or broken.
func (e *Error) postUnusable() bool {
	return e.Code == "" && e.Status != 0 && e.Status != http.StatusTooManyRequests &&
		(e.Status < 500 || e.Status == http.StatusNotImplemented)
}

func (c *Client) send(ctx context.Context, doing, method string, params url.Values, onCode bool, secrets []string) (Tokens, error) {
	req, err := c.newRequest(ctx, method, params)
	if err != nil {
		return Tokens{}, networkError(ctx, doing, err, secrets)
	}
	asked := c.now()
	resp, err := c.http.Do(req)
	if err != nil {
		return Tokens{}, networkError(ctx, doing, err, secrets)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Tokens{}, networkError(ctx, doing, err, secrets)
	}
	fault := &Error{Class: Transient, doing: doing, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, c.now())}
	if len(body) > maxAnswer {
		fault.detail = "the answer is too long"
		return Tokens{}, fault
	}
	var answer tokenAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		fault.detail = notJSON(resp.StatusCode)
		return Tokens{}, fault
	}
	fault.Code = cleanCode(text(answer.Error))
	if fault.Code != "" {
		// What the service says may repeat any token it knows of.
		secrets = append(secrets, answer.AccessToken, answer.RefreshToken)
		fault.detail = scrub(text(answer.Description), secrets)
		if resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
			fault.Class = classOfCode(fault.Code, onCode)
		}
		return Tokens{}, fault
	}
	if resp.StatusCode != http.StatusOK {
		fault.detail = "neither tokens nor an error in the answer"
		return Tokens{}, fault
	}
	return answer.tokens(fault, asked)
}

// tokens checks a success. The life counts from when the request was sent, so
// that a slow answer does not make the token seem younger than it is.
func (answer *tokenAnswer) tokens(fault *Error, asked time.Time) (Tokens, error) {
	switch {
	case answer.AccessToken == "" || !isVisible(answer.AccessToken) || !isVisible(answer.RefreshToken):
		fault.detail = "the answer has no usable access token"
		return Tokens{}, fault
	case answer.TokenType != "" && !strings.EqualFold(answer.TokenType, "bearer"):
		fault.Class, fault.detail = Admin, "the service gives tokens of an unknown type"
		return Tokens{}, fault
	}
	return Tokens{
		Access:  answer.AccessToken,
		Refresh: answer.RefreshToken,
		Expires: asked.Add(life(text(answer.ExpiresIn))),
		Scope:   splitScope(text(answer.Scope)),
	}, nil
}

func (c *Client) newRequest(ctx context.Context, method string, params url.Values) (*http.Request, error) {
	address, body := c.cfg.TokenURL, io.Reader(nil)
	if method == http.MethodPost {
		body = strings.NewReader(params.Encode())
	} else {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += params.Encode()
		address = u.String()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "application/json")
	return req, nil
}

func notJSON(status int) string {
	switch {
	case status >= 300 && status < 400:
		return "the token address answers with a redirect, which is not followed"
	case status == http.StatusMethodNotAllowed:
		return "the token address does not take POST; get_fallback may help"
	default:
		return "the answer is not JSON"
	}
}

// text reads a JSON value as text, whether it was written as a string or a
// number; anything else that is not null counts as unknown.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.TrimSpace(string(raw))
}

// life reads expires_in. What makes no sense counts as missing.
func life(text string) time.Duration {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(seconds) || seconds < 1 {
		return assumedLife
	}
	if seconds > longestLife.Seconds() {
		return longestLife
	}
	return time.Duration(seconds) * time.Second
}

// splitScope takes spaces and commas and drops what is not a scope.
func splitScope(text string) []string {
	var scope []string
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		if isScope(one) && !slices.Contains(scope, one) {
			scope = append(scope, one)
		}
	}
	return scope
}

// isVisible says whether a token has only the characters that RFC 6749, A.12
// allows; others could not be sent in XML.
func isVisible(token string) bool {
	for i := range len(token) {
		if token[i] < ' ' || token[i] > '~' {
			return false
		}
	}
	return true
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(longestRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return max(0, min(wait, longestRetryAfter))
}
