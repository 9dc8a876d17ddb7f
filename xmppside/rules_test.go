package xmppside

import (
	"errors"
	"strings"
	"testing"

	"matrix-messenger/xmppside/session"
)

// The conditions of RFC 6120 4.9.3 and 6.5, and every cause that there is.
var (
	streamConditions = strings.Fields(`bad-format bad-namespace-prefix conflict connection-timeout host-gone host-unknown
		improper-addressing internal-server-error invalid-from invalid-namespace invalid-xml not-authorized not-well-formed
		policy-violation remote-connection-failed reset resource-constraint restricted-xml system-shutdown
		undefined-condition unsupported-encoding unsupported-feature unsupported-stanza-type unsupported-version`)
	saslConditions = strings.Fields(`aborted account-disabled credentials-expired encryption-required incorrect-encoding
		invalid-authzid invalid-mechanism malformed-request mechanism-too-weak not-authorized temporary-auth-failure`)
	causes = []session.Cause{
		session.Lost, session.NoTLS, session.TLSRefused, session.TLSBroken, session.Certificate, session.NoMechanism,
		session.SASL, session.Bind, session.StreamError, session.Redirected, session.WrongHost, session.Unexpected,
		session.Malformed, session.Oversize, session.Unanswered, session.Stuck, session.Refused, session.Closed,
		causeUnreachable, causeNotOffered, causeRedirects, causeToken, causeTokenLogin, causeTokenSettings,
	}
)

// TestTheErrorTable walks messenger-protocol.md 12.3, row by row: the actions taken for a failure that comes again and
// again.
func TestTheErrorTable(t *testing.T) {
	sasl := func(c string) session.Failure { return session.Failure{Cause: session.SASL, Condition: c} }
	bind := func(c string) session.Failure { return session.Failure{Cause: session.Bind, Condition: c} }
	stream := func(c string) session.Failure { return session.Failure{Cause: session.StreamError, Condition: c} }
	cause := func(c session.Cause) session.Failure { return session.Failure{Cause: c} }
	for _, row := range []struct {
		failures []session.Failure
		actions  string
	}{
		{[]session.Failure{cause(session.Lost), cause(causeUnreachable), cause(session.Unanswered), cause(session.Stuck)}, "retry retry retry retry retry retry"},
		{[]session.Failure{cause(session.NoTLS)}, "tell_admin"},
		{[]session.Failure{cause(session.TLSRefused), cause(session.TLSBroken)}, "retry retry retry retry retry_longest retry_longest"},
		{[]session.Failure{cause(session.Certificate)}, "retry_longest retry_longest"},
		{[]session.Failure{cause(causeRedirects)}, "retry retry retry"},
		{[]session.Failure{cause(session.NoMechanism)}, "tell_admin"},
		{[]session.Failure{sasl("not-authorized"), sasl("credentials-expired"), sasl("who-knows"), sasl("")}, "refresh login"},
		{[]session.Failure{sasl("temporary-auth-failure"), bind("resource-constraint")}, "retry retry retry retry"},
		{[]session.Failure{sasl("account-disabled")}, "tell_user"},
		{
			[]session.Failure{
				sasl("aborted"), sasl("invalid-authzid"), sasl("invalid-mechanism"), sasl("mechanism-too-weak"),
				sasl("malformed-request"), sasl("incorrect-encoding"), sasl("encryption-required"),
			}, "refresh tell_admin",
		},
		{[]session.Failure{bind("conflict")}, "tell_user"}, // after the attempt without a resource
		{[]session.Failure{bind("not-allowed"), bind("bad-request")}, "tell_admin"},
		{[]session.Failure{cause(causeToken)}, "retry retry retry"},
		{[]session.Failure{cause(causeTokenLogin)}, "login"},
		{[]session.Failure{cause(causeTokenSettings)}, "tell_admin"},
		{[]session.Failure{cause(session.Redirected)}, "follow follow"},
		{
			[]session.Failure{
				stream("connection-timeout"), stream("system-shutdown"), stream("reset"), stream("resource-constraint"),
				stream("internal-server-error"), stream("remote-connection-failed"), stream("undefined-condition"),
				stream("never-heard-of"),
			}, "retry retry retry retry",
		},
		{[]session.Failure{stream("conflict")}, "retry tell_user"},
		{[]session.Failure{stream("not-authorized")}, "refresh login"},
		{[]session.Failure{stream("policy-violation")}, "retry_longest retry_longest"},
		{
			[]session.Failure{
				stream("not-well-formed"), stream("bad-format"), stream("invalid-xml"), stream("restricted-xml"),
				stream("bad-namespace-prefix"), stream("invalid-namespace"), stream("unsupported-encoding"),
				stream("unsupported-feature"), stream("unsupported-stanza-type"), stream("unsupported-version"),
			}, "retry retry retry_longest retry_longest",
		},
		{[]session.Failure{stream("host-unknown"), stream("host-gone"), stream("improper-addressing"), stream("invalid-from")}, "retry_longest"},
	} {
		for _, f := range row.failures {
			var h history
			var got []string
			for range strings.Fields(row.actions) {
				action, code := h.decide(&f)
				got = append(got, string(action))
				if texts[code] == "" {
					t.Errorf("%v: no text for %s", &f, code)
				}
			}
			if strings.Join(got, " ") != row.actions {
				t.Errorf("%v: %v, want %s", &f, got, row.actions)
			}
		}
	}
}

func TestEveryCauseHasARule(t *testing.T) {
	has := func(cause session.Cause, condition string) bool {
		for _, r := range rules {
			if r.cause == cause && r.condition == condition {
				return true
			}
		}
		return false
	}
	for _, cause := range causes {
		if !has(cause, "") {
			t.Errorf("no rule for %q", cause)
		}
	}
	for _, condition := range streamConditions {
		if !has(session.StreamError, condition) {
			t.Errorf("no rule for the stream error %q", condition)
		}
	}
	for _, condition := range saslConditions {
		if !has(session.SASL, condition) {
			t.Errorf("no rule for the SASL failure %q", condition)
		}
	}
	if i, r := findRule(&session.Failure{Cause: "something new"}); i != 0 || r.cause != session.Lost {
		t.Errorf("an unknown cause falls to %+v", r)
	}
}

func TestEveryTextIsASentenceForPeople(t *testing.T) {
	used := make(map[Code]bool)
	for _, r := range rules {
		used[r.code] = true
	}
	for code, text := range texts {
		if !strings.HasPrefix(string(code), "messenger-") || !strings.Contains(text, "{service}") || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q", code, text)
		}
		if !used[code] {
			t.Errorf("no rule uses %s", code)
		}
		if said := wording("Chat", nil).Replace(text); strings.ContainsAny(said, "{}") {
			t.Errorf("%s says %q", code, said)
		}
	}
}

func TestTextsNameSettingsAsTheCallerSpellsThem(t *testing.T) {
	for _, c := range []struct {
		keys map[Setting]string
		want string
	}{
		{
			map[Setting]string{SettingDomain: "chat.domain", SettingAddress: "chat.server"},
			"The server that answers for Chat does not offer its way of signing in. The administrator should check chat.domain and chat.server in",
		},
		{
			nil,
			"The server that answers for Chat does not offer its way of signing in. The administrator should check the domain and the address in",
		},
	} {
		p := newProblem(CodeNotTheService, TellAdmin, wording("Chat", c.keys), nil)
		if !strings.HasPrefix(p.Text, c.want) {
			t.Errorf("%v: %q", c.keys, p.Text)
		}
	}
}

func TestSettingsOfAProfileThatCannotWorkAreNamed(t *testing.T) {
	way := func(string) session.Authenticator { return nil }
	for _, c := range []struct {
		profile Profile
		want    Setting
	}{
		{Profile{Domain: "not a domain", Authenticate: way}, SettingDomain},
		{Profile{Domain: "chat.example", Authenticate: way, Address: "::"}, ""},
		{Profile{Domain: "chat.example", Authenticate: way, Address: "chat.example:none"}, SettingAddress},
		{Profile{Domain: "chat.example", Authenticate: way, Redirects: -1}, SettingRedirects},
	} {
		_, err := NewService(c.profile, ServiceOptions{})
		var wrong *SettingError
		if errors.As(err, &wrong) != (c.want != "") || wrong != nil && wrong.Setting != c.want {
			t.Errorf("%+v: %v, want %q", c.profile, err, c.want)
		}
	}
}

func TestSuccessForgetsFailures(t *testing.T) {
	refused := &session.Failure{Cause: session.SASL, Condition: "not-authorized"}
	conflict := &session.Failure{Cause: session.StreamError, Condition: "conflict"}
	broken := &session.Failure{Cause: session.TLSBroken}
	var h history
	for _, f := range []*session.Failure{refused, conflict, broken, broken, broken, broken} {
		h.decide(f)
	}
	h.forget(untilSignedIn)
	if action, _ := h.decide(refused); action != Refresh {
		t.Errorf("after signing in: %s", action)
	}
	if action, _ := h.decide(broken); action != RetryLongest {
		t.Errorf("signing in alone forgot the broken handshakes: %s", action)
	}
	h.forget(untilStable)
	if action, _ := h.decide(broken); action != Retry {
		t.Errorf("after a stable minute: %s", action)
	}
	if action, _ := h.decide(conflict); action != TellUser {
		t.Errorf("a stable minute settled a conflict: %s", action)
	}
	h.forget(forHours)
	if action, _ := h.decide(conflict); action != Retry {
		t.Errorf("after an hour: %s", action)
	}
}
