package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/status"

	"matrix-messenger/database"
	"matrix-messenger/oauth"
	"matrix-messenger/xmppside"
)

// The login flows and steps of design.md section 5.
const (
	flowOAuth = "oauth"
	flowToken = "token"

	stepPaste    = "messenger.oauth.paste"
	stepWait     = "messenger.oauth.wait"
	stepToken    = "messenger.token"
	stepComplete = "messenger.complete"
)

// GetLoginFlows implements bridgev2.NetworkConnector. The flow `oauth` needs the ID of a registered application, so it is not offered without one.
func (c *Connector) GetLoginFlows() []bridgev2.LoginFlow {
	token := bridgev2.LoginFlow{
		ID:          flowToken,
		Name:        "Access token",
		Description: "Sign in with an access token that you already have.",
	}
	if c.Config.OAuth.ClientID == "" {
		return []bridgev2.LoginFlow{token}
	}
	return []bridgev2.LoginFlow{{
		ID:          flowOAuth,
		Name:        "Microsoft account",
		Description: "Sign in on Microsoft's page in your browser.",
	}, token}
}

// CreateLogin implements bridgev2.NetworkConnector.
func (c *Connector) CreateLogin(_ context.Context, user *bridgev2.User, flow string) (bridgev2.LoginProcess, error) {
	base := loginProcess{c: c, user: user}
	switch {
	case flow == flowToken:
		return &tokenLogin{loginProcess: base}, nil
	case flow == flowOAuth && c.oauth != nil && c.callback.Load() != nil:
		return &callbackLogin{loginProcess: base}, nil
	case flow == flowOAuth && c.oauth != nil:
		return &pasteLogin{loginProcess: base}, nil
	}
	return nil, bridgev2.ErrInvalidLoginFlowID
}

// loginProcess is what the flows have in common.
type loginProcess struct {
	c    *Connector
	user *bridgev2.User
	// again is the login that is to be renewed, nil for any.
	again *bridgev2.UserLogin
}

// renew makes the flow one that renews a login.
func (p *loginProcess) renew(login *bridgev2.UserLogin) { p.again = login }

// signInTimeout bounds the connection that finds out whose token it is, redirects included.
const signInTimeout = 90 * time.Second

// complete signs in once with the tokens, to learn whose they are, and makes or renews the login.
func (p *loginProcess) complete(ctx context.Context, tokens oauth.Tokens) (*bridgev2.LoginStep, error) {
	who, err := p.c.identify(ctx, tokens)
	if err != nil {
		return nil, err
	}
	bare := who.JID.Bare().String()
	id := loginID(bare)
	if p.again != nil && p.again.ID != id {
		// The framework would take the one for the other and end the login that was to be renewed, with all that waits in it.
		return nil, loginError("COM.MATRIX-MESSENGER.OTHER_ACCOUNT",
			fmt.Sprintf("This is the account %s, but %s was to be signed in again. Start again and choose that account; for another one use the command `login`.", bare, p.again.ID), nil)
	}
	if other, err := p.c.br.GetExistingUserLoginByID(ctx, id); err != nil {
		return nil, loginError("M_UNKNOWN", "The bridge's database did not answer. Please try again in a minute.", err)
	} else if other != nil && other.UserMXID != p.user.MXID {
		return nil, loginError("COM.MATRIX-MESSENGER.ACCOUNT_IN_USE",
			"This account is already signed in to the bridge by another Matrix user. One account can be used by one Matrix user only: ask them to log out first, or sign in with another account.", nil)
	}
	defer p.c.accounts.WithLock(id)()
	if err = p.c.storeCredential(ctx, string(id), tokens, who); err != nil {
		return nil, loginError("M_UNKNOWN", "The bridge could not store the sign-in. Please try again in a minute.", err)
	}
	login, err := p.user.NewLogin(ctx, &bridgedb.UserLogin{
		ID:            id,
		RemoteName:    bare,
		RemoteProfile: status.RemoteProfile{Username: bare},
		Metadata:      &LoginMetadata{JID: bare},
	}, nil)
	if err != nil {
		return nil, loginError("M_UNKNOWN", "The bridge could not store the login. Please try again in a minute.", err)
	}
	// A renewed login has a client that runs with the old tokens: it starts over with the new ones.
	login.Client.Disconnect()
	login.Client.Connect(ctx)
	return &bridgev2.LoginStep{
		Type:         bridgev2.LoginStepTypeComplete,
		StepID:       stepComplete,
		Instructions: fmt.Sprintf("Successfully logged in as %s. Your chats appear as messages come in; see your contacts with the command `contacts`, and write to someone with `start-chat`.", bare),
		CompleteParams: &bridgev2.LoginCompleteParams{
			UserLoginID: login.ID,
			UserLogin:   login,
		},
	}, nil
}

// loginError is an error of a login: a code for programs, and a sentence for the person who signs in.
func loginError(code, sentence string, cause error) error {
	return &signInError{RespError: bridgev2.RespError{ErrCode: code, Err: sentence, StatusCode: 400}, cause: cause}
}

type signInError struct {
	bridgev2.RespError
	cause error
}

func (e *signInError) Error() string { return e.RespError.Err }
func (e *signInError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.RespError}
	}
	return []error{e.RespError, e.cause}
}

// identify opens one session with the tokens and ends it as soon as the service has said whose they are: the account follows from the token alone
// (messenger-protocol.md 5.1), so there is no other way to learn it. Nothing is sent to contacts.
func (c *Connector) identify(ctx context.Context, tokens oauth.Tokens) (xmppside.SignedIn, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	watch := &identity{found: make(chan xmppside.SignedIn, 1), failed: make(chan *xmppside.Problem, 1)}
	account := xmppside.NewAccount(xmppside.AccountConfig{
		Service:  c.service,
		Resource: database.NewResource(),
		Tokens:   onceToken(tokens.Access),
		Handler:  watch,
		Log:      c.log,
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		account.Run(ctx)
	}()
	defer func() { <-ended }()
	defer cancel()
	select {
	case who := <-watch.found:
		return who, nil
	case problem := <-watch.failed:
		return xmppside.SignedIn{}, loginError("COM.MATRIX-MESSENGER."+codeName(problem), signInText(problem), problem)
	case <-ctx.Done():
		return xmppside.SignedIn{}, loginError("COM.MATRIX-MESSENGER.TIMEOUT", "The service did not answer in time. Please try again in a few minutes.", ctx.Err())
	}
}

// identity waits for the first SignedIn or the first problem.
type identity struct {
	found  chan xmppside.SignedIn
	failed chan *xmppside.Problem
}

// errIdentified ends the session before the roster is fetched or anybody sees a presence.
var errIdentified = errors.New("the account is known")

func (w *identity) Handle(_ context.Context, ev xmppside.Event) error {
	switch ev := ev.(type) {
	case xmppside.SignedIn:
		select {
		case w.found <- ev:
		default:
		}
		return errIdentified
	case xmppside.StateEvent:
		if ev.Problem != nil {
			select {
			case w.failed <- ev.Problem:
			default:
			}
		}
	}
	return nil
}

// onceToken is a token that cannot be renewed.
type onceToken string

func (t onceToken) Token(_ context.Context, refused string) (string, error) {
	if refused == string(t) {
		return "", errTokenRefused{}
	}
	return string(t), nil
}

type errTokenRefused struct{}

func (errTokenRefused) Error() string     { return "the service does not accept this access token" }
func (errTokenRefused) LoginNeeded() bool { return true }

// HumanError is the sentence, for the page in the browser.
func (e *signInError) HumanError() string { return e.RespError.Err }

// codeName is a problem's code as provisioning clients see it.
func codeName(p *xmppside.Problem) string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(string(p.Code), "messenger-"), "-", "_"))
}

// signInText is a problem's sentence for somebody who is just signing in: nothing is tried again by itself then.
func signInText(p *xmppside.Problem) string {
	switch p.Code {
	case xmppside.CodeTokenRefused, xmppside.CodeTokenMissing:
		return "The service does not accept this sign-in. The access token may be wrong, expired or meant for something else: please get a new one and start again with the login command."
	case xmppside.CodeUnreachable, xmppside.CodeLost, xmppside.CodeBusy, xmppside.CodeTLS:
		return "The " + service + " service cannot be reached at the moment. Please try again in a few minutes, and tell your administrator if it stays so."
	case xmppside.CodeRedirects:
		return "The " + service + " service sent the bridge to a host that cannot be reached. Please try again in a few minutes."
	}
	return p.Text
}
