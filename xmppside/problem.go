package xmppside

import "strings"

// Action is what the account does about a failure (messenger-protocol.md 12.2).
type Action string

// The actions of messenger-protocol.md 12.2.
const (
	// Retry connects again after the back-off.
	Retry Action = "retry"
	// RetryLongest tells whom it concerns and goes on trying at the longest interval.
	RetryLongest Action = "retry_longest"
	// Refresh gets a new token and connects once more.
	Refresh Action = "refresh"
	// Login stops until the user has signed in anew.
	Login Action = "login"
	// TellUser stops until the user asks for a new attempt.
	TellUser Action = "tell_user"
	// TellAdmin stops until somebody asks for a new attempt; the reason is in the settings or at the service.
	TellAdmin Action = "tell_admin"
	// Follow connects to the host that the service named.
	Follow Action = "follow"
)

// Code names a kind of problem; it is the error code of the bridge state and a metric's label, so it never changes.
type Code string

// The codes. Their texts are in the table below.
const (
	CodeUnreachable     Code = "messenger-service-unreachable"
	CodeLost            Code = "messenger-connection-lost"
	CodeBusy            Code = "messenger-service-busy"
	CodeNoTLS           Code = "messenger-no-tls"
	CodeTLS             Code = "messenger-tls-failed"
	CodeCertificate     Code = "messenger-certificate"
	CodeNotTheService   Code = "messenger-not-the-service"
	CodeWrongHost       Code = "messenger-wrong-host"
	CodeRedirects       Code = "messenger-redirects"
	CodeTokenRefused    Code = "messenger-token-refused"
	CodeTokenMissing    Code = "messenger-login-needed"
	CodeTokenAddress    Code = "messenger-token-unavailable"
	CodeTokenSettings   Code = "messenger-oauth-settings"
	CodeAccountDisabled Code = "messenger-account-disabled"
	CodeSignInRefused   Code = "messenger-sign-in-refused"
	CodeBindRefused     Code = "messenger-bind-refused"
	CodeConflict        Code = "messenger-conflict"
	CodePolicy          Code = "messenger-policy"
	CodeStreamBroken    Code = "messenger-stream-broken"
	CodeNotStored       Code = "messenger-not-stored"
)

// texts are what a person reads; wording fills in what stands in braces. Each says what to do, or that there is nothing to
// do.
var texts = map[Code]string{
	CodeUnreachable:     "{service} cannot be reached. The bridge keeps trying by itself; if this lasts, the administrator should run the doctor command to check the address and the network.",
	CodeLost:            "The connection to {service} was lost. The bridge reconnects by itself.",
	CodeBusy:            "{service} is busy or restarting. The bridge tries again by itself.",
	CodeNoTLS:           "The server that answers for {service} does not offer encryption, so nothing was sent to it. The administrator should check the network and the address in the configuration, and restart the bridge, or use the `reconnect` command, when it is put right.",
	CodeTLS:             "An encrypted connection to {service} could not be set up. The bridge tries again by itself; if this lasts, the administrator should check the network and the service's TLS settings.",
	CodeCertificate:     "The certificate shown for {service} is not trusted, so the sign-in was not sent. The administrator should run the doctor command and check {trusted certificates} in the configuration.",
	CodeNotTheService:   "The server that answers for {service} does not offer its way of signing in. The administrator should check {domain} and {address} in the configuration, and restart the bridge, or use the `reconnect` command, when it is put right.",
	CodeWrongHost:       "The server does not serve the configured domain of {service}. The administrator should check {domain} in the configuration.",
	CodeRedirects:       "{service} sent the bridge from host to host without an end, or to a host that cannot be reached. The bridge tries again by itself from the start.",
	CodeTokenRefused:    "{service} does not accept the sign-in any more. Please sign in again with the `login` command.",
	CodeTokenMissing:    "Your sign-in to {service} has ended. Please sign in again with the `login` command.",
	CodeTokenAddress:    "The sign-in to {service} could not be renewed at the moment. The bridge tries again by itself.",
	CodeTokenSettings:   "The sign-in of {service} refuses the bridge's settings. The administrator should check {sign-in settings} in the configuration.",
	CodeAccountDisabled: "{service} says that this account is disabled. Please sort that out with the service, and then use the `reconnect` command.",
	CodeSignInRefused:   "{service} refused the way the bridge signs in. The administrator should check that the configured service is the right one, and report this if it is.",
	CodeBindRefused:     "{service} did not give the bridge a place on your account. Please close other sessions and use the `reconnect` command, or tell the administrator.",
	CodeConflict:        "Your account was signed in to {service} from somewhere else, and the service ended this session. Close the other sign-in, and then use the `reconnect` command here.",
	CodePolicy:          "{service} ended the session because of its rules. The bridge tries again only now and then; please write less for a while.",
	CodeStreamBroken:    "The bridge and {service} did not understand each other. The bridge tries again by itself; if this lasts, the administrator should look at the log.",
	CodeNotStored:       "The bridge could not store what {service} sent and will fetch it again. If this lasts, the administrator should check the database.",
}

// textRenewing is what a person reads while the bridge gets a new token by itself.
const textRenewing = "{service} asks for a fresh sign-in. The bridge renews it by itself."

// Problem is a failure as the rest of the program sees it: what kind, what is being done, and a sentence for people.
type Problem struct {
	Code   Code
	Action Action
	// Text is for users.
	Text string
	// Err is for the log. It holds no secrets.
	Err error
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Err == nil {
		return string(p.Code)
	}
	return string(p.Code) + ": " + p.Err.Error()
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// newProblem makes the problem, its text with the given wording.
func newProblem(code Code, action Action, words *strings.Replacer, err error) *Problem {
	text := texts[code]
	if action == Refresh {
		text = textRenewing // nobody has to do anything, whatever the reason
	}
	return &Problem{Code: code, Action: action, Text: words.Replace(text), Err: err}
}
