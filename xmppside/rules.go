package xmppside

import (
	"matrix-messenger/xmppside/session"
)

// Causes that arise outside a stream, beside those of the package session.
const (
	causeUnreachable   session.Cause = "unreachable"    // no name, no connection, at no address
	causeNotOffered    session.Cause = "not-offered"    // SRV says so
	causeRedirects     session.Cause = "redirects"      // too many, a loop, an unusable or unreachable target
	causeToken         session.Cause = "token"          // the token source failed for now
	causeTokenLogin    session.Cause = "token-login"    // the token source needs the user
	causeTokenSettings session.Cause = "token-settings" // the token source needs the administrator
)

// rule says what to do about one kind of failure. An empty condition is for all conditions of the cause that have no rule
// of their own. After the action has been taken times times without success, then follows.
type rule struct {
	cause     session.Cause
	condition string
	action    Action
	code      Code
	times     int // 0: always
	then      Action
	// memory is how long a session must last for the count to start over.
	memory memory
}

type memory int

const (
	// untilStable: a stable minute signed in starts the count over.
	untilStable memory = iota
	// untilSignedIn: being signed in does.
	untilSignedIn
	// forHours: only a session of an hour does; two programs must not throw each other out every minute.
	forHours
)

// rules is messenger-protocol.md 12.3, as far as it concerns the stream and the sign-in; the rest (message errors,
// refused roster changes, lookups, vCards) is events and answers, and decided where they are used. Some rows say
// "retry; after n in a row tell": there the telling comes with the n-th, together with going on at the longest interval, since a service that is being
// repaired must not need every user to ask for a new attempt.
var rules = []rule{
	{cause: session.Lost, action: Retry, code: CodeLost},
	{cause: session.Unanswered, action: Retry, code: CodeLost},
	{cause: session.Stuck, action: Retry, code: CodeLost},
	{cause: session.Closed, action: Retry, code: CodeLost},
	{cause: session.Refused, action: Retry, code: CodeNotStored},
	{cause: causeUnreachable, action: Retry, code: CodeUnreachable},
	{cause: causeNotOffered, action: RetryLongest, code: CodeNotTheService},
	{cause: session.Malformed, action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.Oversize, action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.Unexpected, action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},

	{cause: session.NoTLS, action: TellAdmin, code: CodeNoTLS},
	{cause: session.TLSRefused, action: Retry, code: CodeTLS, times: 4, then: RetryLongest},
	{cause: session.TLSBroken, action: Retry, code: CodeTLS, times: 4, then: RetryLongest},
	{cause: session.Certificate, action: RetryLongest, code: CodeCertificate},
	{cause: session.WrongHost, action: RetryLongest, code: CodeWrongHost},

	{cause: session.Redirected, action: Follow, code: CodeRedirects},
	{cause: causeRedirects, action: Retry, code: CodeRedirects},

	{cause: session.NoMechanism, action: TellAdmin, code: CodeNotTheService},
	{cause: session.SASL, action: Refresh, code: CodeTokenRefused, times: 1, then: Login, memory: untilSignedIn},
	{cause: session.SASL, condition: "not-authorized", action: Refresh, code: CodeTokenRefused, times: 1, then: Login, memory: untilSignedIn},
	{cause: session.SASL, condition: "credentials-expired", action: Refresh, code: CodeTokenRefused, times: 1, then: Login, memory: untilSignedIn},
	{cause: session.SASL, condition: "temporary-auth-failure", action: Retry, code: CodeBusy},
	{cause: session.SASL, condition: "account-disabled", action: TellUser, code: CodeAccountDisabled},
	{cause: session.SASL, condition: "aborted", action: Refresh, code: CodeSignInRefused, times: 1, then: TellAdmin, memory: untilSignedIn},
	{cause: session.SASL, condition: "invalid-authzid", action: Refresh, code: CodeSignInRefused, times: 1, then: TellAdmin, memory: untilSignedIn},
	{cause: session.SASL, condition: "invalid-mechanism", action: Refresh, code: CodeSignInRefused, times: 1, then: TellAdmin, memory: untilSignedIn},
	{cause: session.SASL, condition: "mechanism-too-weak", action: Refresh, code: CodeSignInRefused, times: 1, then: TellAdmin, memory: untilSignedIn},
	{cause: session.SASL, condition: "malformed-request", action: Refresh, code: CodeSignInRefused, times: 1, then: TellAdmin, memory: untilSignedIn},
	{cause: session.SASL, condition: "incorrect-encoding", action: Refresh, code: CodeSignInRefused, times: 1, then: TellAdmin, memory: untilSignedIn},
	{cause: session.SASL, condition: "encryption-required", action: Refresh, code: CodeSignInRefused, times: 1, then: TellAdmin, memory: untilSignedIn},

	// The attempt without a resource has been made by then, on the same stream.
	{cause: session.Bind, action: Retry, code: CodeBindRefused, times: 2, then: RetryLongest},
	{cause: session.Bind, condition: "resource-constraint", action: Retry, code: CodeBusy},
	{cause: session.Bind, condition: "conflict", action: TellUser, code: CodeBindRefused},
	{cause: session.Bind, condition: "not-allowed", action: TellAdmin, code: CodeBindRefused},
	{cause: session.Bind, condition: "bad-request", action: TellAdmin, code: CodeBindRefused},

	{cause: session.StreamError, action: Retry, code: CodeLost},
	{cause: session.StreamError, condition: "connection-timeout", action: Retry, code: CodeLost},
	{cause: session.StreamError, condition: "system-shutdown", action: Retry, code: CodeBusy},
	{cause: session.StreamError, condition: "reset", action: Retry, code: CodeLost},
	{cause: session.StreamError, condition: "resource-constraint", action: Retry, code: CodeBusy},
	{cause: session.StreamError, condition: "internal-server-error", action: Retry, code: CodeBusy},
	{cause: session.StreamError, condition: "remote-connection-failed", action: Retry, code: CodeLost},
	{cause: session.StreamError, condition: "undefined-condition", action: Retry, code: CodeLost},
	{cause: session.StreamError, condition: "conflict", action: Retry, code: CodeConflict, times: 1, then: TellUser, memory: forHours},
	{cause: session.StreamError, condition: "not-authorized", action: Refresh, code: CodeTokenRefused, times: 1, then: Login, memory: untilSignedIn},
	{cause: session.StreamError, condition: "policy-violation", action: RetryLongest, code: CodePolicy},
	{cause: session.StreamError, condition: "not-well-formed", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "bad-format", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "invalid-xml", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "restricted-xml", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "bad-namespace-prefix", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "invalid-namespace", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "unsupported-encoding", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "unsupported-feature", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "unsupported-stanza-type", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "unsupported-version", action: Retry, code: CodeStreamBroken, times: 2, then: RetryLongest},
	{cause: session.StreamError, condition: "host-unknown", action: RetryLongest, code: CodeWrongHost},
	{cause: session.StreamError, condition: "host-gone", action: RetryLongest, code: CodeWrongHost},
	{cause: session.StreamError, condition: "improper-addressing", action: RetryLongest, code: CodeWrongHost},
	{cause: session.StreamError, condition: "invalid-from", action: RetryLongest, code: CodeWrongHost},

	{cause: causeToken, action: Retry, code: CodeTokenAddress},
	{cause: causeTokenLogin, action: Login, code: CodeTokenMissing},
	{cause: causeTokenSettings, action: TellAdmin, code: CodeTokenSettings},
}

// findRule gives the rule for a failure and its index, by which failures are counted.
func findRule(f *session.Failure) (int, rule) {
	general := -1
	for i, r := range rules {
		if r.cause != f.Cause {
			continue
		}
		if r.condition == f.Condition {
			return i, r
		}
		if r.condition == "" {
			general = i
		}
	}
	if general < 0 {
		general = 0 // a lost connection; TestEveryCauseHasARule keeps this from happening
	}
	return general, rules[general]
}

// history counts failures by rule. One goroutine.
type history struct {
	counts map[int]int
}

// decide says what to do about a failure that has just happened.
func (h *history) decide(f *session.Failure) (Action, Code) {
	i, r := findRule(f)
	if r.times == 0 {
		return r.action, r.code
	}
	if h.counts == nil {
		h.counts = make(map[int]int)
	}
	h.counts[i]++
	if h.counts[i] <= r.times {
		return r.action, r.code
	}
	return r.then, r.code
}

// forget drops the counts that a success wipes out.
func (h *history) forget(upTo ...memory) {
	for i := range h.counts {
		for _, m := range upTo {
			if rules[i].memory == m {
				delete(h.counts, i)
			}
		}
	}
}

// clear drops all counts, when somebody asked for a fresh start.
func (h *history) clear() { h.counts = nil }

// malformed says whether the service ended the stream because of what was written to it, so that the last message must
// not be sent again (messenger-protocol.md 12.3).
func malformed(f *session.Failure) bool {
	if f.Cause != session.StreamError {
		return false
	}
	_, r := findRule(f)
	return r.code == CodeStreamBroken
}
