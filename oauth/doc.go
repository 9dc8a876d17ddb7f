// Package oauth signs people in with their Microsoft account and keeps them
// signed in. It is the client's half of messenger-protocol.md section 4:
//
//   - the authorization code flow of RFC 6749, 4.1, with state and with PKCE
//     (RFC 7636, S256), answered either at the bridge's own callback address
//     ([Client.Callback]) or by an address that the user pastes
//     ([Client.ParsePasted]), which may also be an implicit flow's (section 4.3);
//   - refreshing with rotating refresh tokens (section 4.4), by [Client.Refresh],
//     and for one login at a time, stored before use, by [Keeper];
//   - errors with a class that says what to do (section 12.3): [Error].
//
// The link and the PKCE values come from golang.org/x/oauth2. The token request
// is written here: the service wants scope and redirect address on a refresh,
// which that library cannot send, its errors carry the whole answer, and old
// servers need a GET.
//
// It does not revoke tokens (the service offered no way), does not fetch the
// profile, and stores nothing: the caller seals and stores what it is given.
//
// Ownership: a [Client] owns the sign-ins under way ([Attempt]), bounded in
// number and age, in memory: a restart ends them. A [Keeper] owns one login's
// tokens. Secrets (tokens, codes, the client secret, state, PKCE verifiers) are
// in no error, no log line and no formatted value of this package.
package oauth
