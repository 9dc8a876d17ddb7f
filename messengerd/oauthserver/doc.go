// Package oauthserver is the stand-in service's sign-in server: the part that
// Microsoft's login.live.com played for Messenger.
//
// It implements RFC 6749 (authorization code, implicit and refresh grants, the
// errors of 4.1.2.1, 4.2.2.1 and 5.2), RFC 7636 (PKCE, checked when a client
// sends it), RFC 7009 (revocation) and messenger-protocol.md section 4 with the
// addresses of 4.1 and the rows "token life", "expires_in", "refresh token" and
// "token address" of section 15. How access tokens look is a setting of
// [tokens.Store].
//
// It does not implement password or client-credentials grants, single sign-on
// (each authorization asks for the password), or storage: a restart forgets
// codes and refresh tokens.
//
// Ownership: a [Server] owns the codes and the consents (grants) with their
// refresh tokens, all in memory and bounded; access tokens belong to the
// [tokens.Store], accounts to the [Accounts] given to New.
package oauthserver
