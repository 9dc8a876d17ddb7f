package oauth

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// maxPasted bounds what a user may paste, in bytes: a token of 1.2 kB, escaped
// and with an authentication token beside it, is far shorter.
const maxPasted = 32 << 10

// Pasted is what a user's paste held: a code to exchange, or the tokens themselves.
type Pasted struct {
	// Code is the authorization code, if it was the code flow's address.
	Code string
	// Tokens are set, without a refresh token, if it was the implicit flow's.
	Tokens Tokens
}

// String leaves out the code and the tokens.
func (p Pasted) String() string {
	return fmt.Sprintf("pasted(code %s, %s)", presence(p.Code), p.Tokens)
}

// Format does as String for every verb.
func (p Pasted) Format(f fmt.State, _ rune) { printRedacted(f, p.String()) }

// MarshalJSON leaves out the code and the tokens too.
func (p Pasted) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// ParsePasted reads what the user copied after signing in for an attempt: the
// whole address, only its query or fragment, or the bare code. A state that is
// another attempt's is refused, a missing one tolerated (section 4.4). Errors of
// class BadInput leave the attempt as it was. An implicit flow's address uses
// it up, a code does so when it is exchanged.
func (c *Client) ParsePasted(a *Attempt, pasted string) (Pasted, error) {
	if a.all.find(a.state) != a {
		return Pasted{}, endedError("This sign-in has expired. Please start the login again.")
	}
	pasted = tidy(pasted)
	switch {
	case pasted == "":
		return Pasted{}, badInput("nothing was pasted", "Nothing was pasted. Please paste the whole address of the last page.")
	case len(pasted) > maxPasted:
		return Pasted{}, badInput("the text is too long", "That is too long to be the address. Please paste only the address of the last page.")
	case !isVisible(pasted) || strings.Contains(pasted, " "):
		return Pasted{}, badInput("the text has spaces or unusual characters", "That is not only the address. Please paste the whole address of the last page and nothing else.")
	}
	params, err := pastedParams(pasted)
	if err != nil {
		return Pasted{}, err
	}
	if params == nil {
		// Cut out of the address by hand, a code is still escaped.
		if code, err := url.PathUnescape(pasted); err == nil && isVisible(code) {
			pasted = code
		}
		return Pasted{Code: pasted}, nil
	}
	if state, sent := params["state"]; sent && subtle.ConstantTimeCompare([]byte(state), []byte(a.state)) != 1 {
		return Pasted{}, &Error{
			Class: StartAgain, doing: "pasted address", detail: "the state is another sign-in's",
			human: "That address belongs to another sign-in. Please open the newest link, sign in there and paste the address of its last page, or start the login again.",
		}
	}
	if code := params["error"]; code != "" {
		return Pasted{}, answerError(params)
	}
	if access := params["access_token"]; access != "" {
		if kind := params["token_type"]; kind != "" && !strings.EqualFold(kind, "bearer") {
			return Pasted{}, &Error{Class: Admin, doing: "pasted address", detail: "the service gives tokens of an unknown type"}
		}
		if !a.claim() {
			return Pasted{}, endedError("This sign-in was finished before or has expired. Please start the login again.")
		}
		return Pasted{Tokens: Tokens{
			Access:  access,
			Expires: c.now().Add(life(params["expires_in"])),
			Scope:   splitScope(params["scope"]),
		}}, nil
	}
	if code := params["code"]; code != "" {
		return Pasted{Code: code}, nil
	}
	return Pasted{}, badInput("the address has no code",
		"That address holds no sign-in code. Please paste the address of the last page, the one that you were sent to after you allowed the access.")
}

// tidy takes off what copying adds: white space, line breaks of a wrapped
// address, brackets, quotes, and HTML's way to write '&'.
func tidy(pasted string) string {
	if len(pasted) > 2*maxPasted {
		return pasted
	}
	pasted = strings.NewReplacer("\r", "", "\n", "", "\t", "", "&amp;", "&").Replace(pasted)
	return strings.Trim(pasted, " <>\"'`")
}

// pastedParams gives the parameters of an address, a query or a fragment, or
// nil if the text is none of these and so a bare code.
func pastedParams(pasted string) (map[string]string, error) {
	address := strings.Contains(pasted, "://")
	rest := pasted
	if i := strings.IndexAny(pasted, "?#"); i >= 0 {
		rest = pasted[i+1:]
	} else if address {
		rest = ""
	}
	params := make(map[string]string)
	// An address may have both a query and a fragment.
	for pair := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == '&' || r == '#' }) {
		name, value, isParam := strings.Cut(pair, "=")
		if !isParam {
			continue
		}
		// Not as in a form: a bare '+' in a token is a '+' (section 4.3).
		decoded, err := url.PathUnescape(value)
		if err != nil || !isVisible(decoded) {
			if !isAnswerParam(name) {
				continue
			}
			return nil, badInput("the address is damaged", "That address is damaged, perhaps only a part was copied. Please copy the whole address of the last page once more.")
		}
		if _, twice := params[name]; twice && isAnswerParam(name) {
			return nil, badInput("the address has a parameter twice", "That is more than one address. Please paste only the address of the last page.")
		}
		params[name] = decoded
	}
	for name := range params {
		if isAnswerParam(name) {
			return params, nil
		}
	}
	if address || strings.ContainsAny(pasted, "?#&") {
		return params, nil // an address, but not the right one
	}
	return nil, nil
}

func isAnswerParam(name string) bool {
	switch name {
	case "code", "access_token", "error", "state":
		return true
	}
	return false
}

// answerError makes an error of what the authorize address sent back.
func answerError(params map[string]string) *Error {
	code := cleanCode(params["error"])
	e := &Error{Class: classOfCode(code, true), Code: code, doing: "sign-in page"}
	e.detail = scrub(strings.ReplaceAll(params["error_description"], "+", " "), []string{params["state"], params["code"], params["access_token"]})
	return e
}

func badInput(detail, human string) *Error {
	return &Error{Class: BadInput, doing: "pasted address", detail: detail, human: human}
}
