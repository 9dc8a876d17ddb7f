package bridge

import (
	"context"
	"strings"

	"matrix-messenger/database"
	"matrix-messenger/oauth"
	"matrix-messenger/xmppside"
)

// storeCredential seals the tokens of a login that has just signed in.
func (c *Connector) storeCredential(ctx context.Context, login string, tokens oauth.Tokens, who xmppside.SignedIn) error {
	_, err := c.db.Credential.Put(ctx, database.Credential{
		LoginID: login, AccessToken: tokens.Access, RefreshToken: tokens.Refresh, ExpiresAt: tokens.Expires,
		Scope: strings.Join(tokens.Scope, " "), LastHost: who.Host,
	})
	return err
}

// openAccount makes the account of a sign-in, not yet connected, and what is to be called at its end.
func (cl *Client) openAccount(ctx context.Context, credential database.Credential) (account *xmppside.Account, end func()) {
	end = func() {}
	cfg := xmppside.AccountConfig{
		Service:  cl.c.service,
		Resource: credential.Resource,
		LastHost: credential.LastHost,
		Presence: cl.presence.desired(ctx),
		Tokens:   onceToken(credential.AccessToken),
		Handler:  cl,
		Log:      cl.log,
	}
	if cl.c.oauth != nil {
		if keeper, err := cl.keeper(credential); err != nil {
			cl.log.Err(err).Msg("The account's tokens cannot be renewed, so the stored one is used as it is")
		} else {
			cfg.Tokens = keeperTokens{keeper}
			end = cl.renewAhead(ctx, keeper)
		}
	}
	return xmppside.NewAccount(cfg), end
}

// keeper keeps the account's tokens fresh. Without OAuth settings there is none, and the stored token is used as it is.
func (cl *Client) keeper(credential database.Credential) (*oauth.Keeper, error) {
	return oauth.NewKeeper(cl.c.oauth, oauth.Tokens{
		Access: credential.AccessToken, Refresh: credential.RefreshToken,
		Expires: credential.ExpiresAt, Scope: strings.Fields(credential.Scope),
	}, oauth.KeeperOptions{Store: func(ctx context.Context, tokens oauth.Tokens) error {
		_, err := cl.c.db.Credential.SetTokens(ctx, cl.id(), tokens.Access, tokens.Refresh, tokens.Expires)
		return err
	}})
}

// keeperTokens says in the account's terms what a keeper's errors mean.
type keeperTokens struct{ keeper *oauth.Keeper }

func (k keeperTokens) Token(ctx context.Context, refused string) (string, error) {
	token, err := k.keeper.Token(ctx, refused)
	switch oauth.ClassOf(err) {
	case oauth.LoginNeeded, oauth.StartAgain, oauth.Refused:
		return "", loginNeeded{err}
	case oauth.Admin:
		return "", adminNeeded{err}
	}
	return token, err
}

type loginNeeded struct{ error }

func (loginNeeded) LoginNeeded() bool { return true }
func (e loginNeeded) Unwrap() error   { return e.error }

type adminNeeded struct{ error }

func (adminNeeded) SettingsWrong() bool { return true }
func (e adminNeeded) Unwrap() error     { return e.error }
