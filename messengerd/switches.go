package messengerd

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Switches are the ways in which nobody knows any more how the real gateway
// behaved, and the faults to provoke: one field for each row of section 15 of
// the protocol, with its default there. The tags "values" and "doc" drive the
// strict reading of the configuration and the help text alike.
type Switches struct {
	Certificate       string         `yaml:"certificate" values:"domain|gateway|wrong_name|unknown_root|expired" see:"2.2" doc:"names and validity of the certificate; gateway: only the wildcards *.gateway.messenger.live.com and *.gateway.edge.messenger.live.com"`
	FeaturesBeforeTLS string         `yaml:"features_before_tls" values:"starttls|mechanisms|none" see:"2.2" doc:"what is offered before TLS; mechanisms: STARTTLS and mechanisms; none: no STARTTLS. What follows <starttls/> then is a failure"`
	StreamHeader      string         `yaml:"stream_header" values:"plain|to|no_from|no_declaration" see:"2.3" doc:"form of the server's stream header; to: with a 'to' as well; no_from: without 'from'; no_declaration: without <?xml?>"`
	XMLStyle          string         `yaml:"xml_style" values:"self_contained|header_prefixes|repeat_namespace" see:"2.3" doc:"self_contained declares xmlns:stream again on features and errors; header_prefixes does not; repeat_namespace writes xmlns=\"jabber:client\" on every stanza"`
	RedirectStage     string         `yaml:"redirect_stage" values:"after_tls|none|first_stream|during_sasl|after_sasl|at_bind|signed_in" see:"2.4" doc:"when see-other-host is sent; nothing is redirected before redirect_target names a target"`
	RedirectTarget    RedirectTarget `yaml:"redirect_target" see:"2.4" doc:"where see-other-host points"`
	RedirectEnd       RedirectEnd    `yaml:"redirect_end" see:"2.4" doc:"what surrounds a redirect"`
	Mechanism         string         `yaml:"mechanism" values:"exact|trailing_space|other_only" see:"3.2" doc:"name of the offered mechanism; other_only: PLAIN and SCRAM-SHA-1 instead"`
	SASLFailure       SASLFailure    `yaml:"sasl_failure" see:"3.3" doc:"how a refused token is answered"`
	IssuedTokens      string         `yaml:"issued_tokens" values:"canonical|not_base64|short|long" see:"4.5" doc:"shape of the tokens issued from now on"`
	TokenLife         TokenLife      `yaml:"token_life" see:"4.5" doc:"how long tokens live, and what their end does to a stream"`
	ExpiresIn         string         `yaml:"expires_in" values:"number|string|absent" see:"4.4" doc:"form of expires_in in token answers"`
	RefreshToken      string         `yaml:"refresh_token" values:"replaced|kept|expired|not_issued" see:"4.4" doc:"what a refresh does to the refresh token; expired: invalid_grant"`
	TokenAddress      string         `yaml:"token_address" values:"works|status_429|status_500|not_json|get_only|post_only" see:"4.4" doc:"behaviour of the token address"`
	Localpart         string         `yaml:"localpart" values:"hex16|decimal|mixed_case" see:"5.1" doc:"form of the localpart of accounts that do not name one"`
	Resource          string         `yaml:"resource" values:"honoured|overridden|conflict" see:"5.1" doc:"what becomes of the resource a client asks for; conflict refuses it"`
	SessionFeature    string         `yaml:"session_feature" values:"offered|absent|optional" see:"5.1" doc:"the legacy session in the features"`
	IQFrom            IQFrom         `yaml:"iq_from" see:"5.2" doc:"the from of answers to requests without to, and of roster pushes"`
	DiscoInfo         string         `yaml:"disco_info" values:"jidlookup|without|error|silence" see:"5.3" doc:"answer to disco#info on the domain"`
	IdleCut           time.Duration  `yaml:"idle_cut" see:"5.4" doc:"streams without a complete stanza from the client for this long are closed; off: never"`
	Ping              string         `yaml:"ping" values:"service-unavailable|result|silence" see:"5.4" doc:"answer to a ping"`
	LongestStanza     int            `yaml:"longest_stanza" see:"5.5" doc:"bytes (16344 was seen) above which not-well-formed ends the stream; 0: only the bound of 1 MiB that answers policy-violation"`
	AddingContacts    string         `yaml:"adding_contacts" values:"allowed|refused|set_without_effect|subscribe_without_effect" see:"6.2" doc:"adding contacts; refused is the release of December 2011"`
	RosterRefusal     string         `yaml:"roster_refusal" values:"not-allowed|feature-not-implemented|service-unavailable|silence|carried_out" see:"6.2" doc:"answer to removals and changes in the roster"`
	RefusedPresence   string         `yaml:"refused_presence" values:"ignored|error|carried_out" see:"6.2" doc:"what becomes of unsubscribe and unsubscribed in the cells marked † of section 6.4"`
	MutualContacts    bool           `yaml:"mutual_contacts" see:"6.3" doc:"accepting an invitation makes both sides contacts of each other at once"`
	GetJID            GetJID         `yaml:"getjid" see:"7" doc:"answers to address lookups"`
	Presence          PresenceRules  `yaml:"presence" see:"8" doc:"probes, own presence, invisible streams"`
	VCard             VCardRules     `yaml:"vcard" see:"9" doc:"answers about vCards"`
	EmptyArchive      string         `yaml:"empty_archive" values:"chat|iq|list|item-not-found" see:"10" doc:"answer when nothing is archived: an empty <chat/>, an empty result, an empty <list/>, an error"`
	Archive           ArchiveRules   `yaml:"archive" see:"10" doc:"the archive"`
	Messages          MessageRules   `yaml:"messages" see:"11" doc:"messages other than chat, and chat states"`
	Faults            Faults         `yaml:"faults" see:"12" doc:"faults for every signed-in stream for as long as they are set; single ones are provoked through the control interface"`
}

// RedirectTarget is where see-other-host points (protocol, section 2.4).
type RedirectTarget struct {
	Form   string   `yaml:"form" values:"host|host_port|ipv4|ipv6|literal|empty|unreachable" doc:"host: the name in host, without port; host_port: the same with the target's port; ipv4, ipv6: the target's address and port; literal: text as it stands; unreachable: a port where nobody listens"`
	Host   string   `yaml:"host" doc:"a name for the forms host and host_port, in any mix of cases; it must lead to this machine. While it is empty the form host redirects nobody, and host_port says LocalHost"`
	Text   string   `yaml:"text" doc:"content for the form literal"`
	Chain  int      `yaml:"chain" doc:"number of redirects before a connection is let in"`
	Loop   bool     `yaml:"loop" doc:"redirect always, also on the target"`
	Via    string   `yaml:"via" values:"listeners|self" doc:"listeners: each hop has a listener of its own; self: the target is the first listener, which lets every chain+1st connection in"`
	Listen []string `yaml:"listen" doc:"addresses for the hops' listeners; further hops take a free port on loopback"`
}

// RedirectEnd is what surrounds a redirect (protocol, section 2.4).
type RedirectEnd struct {
	Header bool   `yaml:"header" doc:"send the stream header before the error, where there was none yet"`
	Close  string `yaml:"close" values:"end|abrupt|open" doc:"end: </stream:stream> and close; abrupt: close; open: leave it to the client"`
}

// SASLFailure is how a token is refused (protocol, section 3.3).
type SASLFailure struct {
	Condition string `yaml:"condition" values:"not-authorized|aborted|account-disabled|credentials-expired|encryption-required|incorrect-encoding|invalid-authzid|invalid-mechanism|malformed-request|mechanism-too-weak|temporary-auth-failure|unknown-condition|none" doc:"condition inside <failure/>"`
	Stream    string `yaml:"stream" values:"close|open" doc:"close the stream after it, or allow up to five tries"`
	Always    bool   `yaml:"always" doc:"refuse good tokens too"`
}

// TokenLife is the life of access tokens (protocol, section 4.5).
type TokenLife struct {
	Life   time.Duration `yaml:"life" doc:"life of tokens issued from now on"`
	Stream string        `yaml:"stream" values:"kept|cut" doc:"what happens to a stream when its token expires; cut: stream error not-authorized"`
}

// IQFrom is who answers (protocol, section 5.2).
type IQFrom struct {
	Reply string `yaml:"reply" values:"domain|absent|bare|full|foreign" doc:"from of answers to requests without to"`
	Push  string `yaml:"push" values:"absent|bare|full|domain|foreign" doc:"from of roster pushes"`
}

// GetJID is how address lookups are answered (protocol, section 7).
type GetJID struct {
	Unknown   string `yaml:"unknown" values:"item-not-found|empty|silence" doc:"answer for an address without account"`
	ReplyFrom string `yaml:"reply_from" values:"email|domain|own|absent" doc:"from of the answer"`
}

// PresenceRules are the open points of section 8.
type PresenceRules struct {
	Probe     string `yaml:"probe" values:"ignored|feature-not-implemented" doc:"answer to a presence probe"`
	Own       string `yaml:"own" values:"sent|not_sent" doc:"whether own presence comes back to the own resources"`
	Invisible string `yaml:"invisible" values:"receives|stored" doc:"messages for a stream that sent unavailable: it receives them, or they are stored until it is available again"`
}

// VCardRules are the open points of section 9.
type VCardRules struct {
	Absent string `yaml:"absent" values:"service-unavailable|item-not-found|empty" doc:"answer when there is no vCard"`
	Update string `yaml:"update" values:"not-allowed|forbidden|feature-not-implemented|service-unavailable|silence" doc:"answer to an update"`
}

// ArchiveRules are the open points of section 10.
type ArchiveRules struct {
	Commands string        `yaml:"commands" values:"both|retrieve|list|off" doc:"supported commands; with list alone and off the others get feature-not-implemented"`
	Start    string        `yaml:"start" values:"ignored|enforced" doc:"ignored: retrieve gives the latest messages whatever start says; enforced: only the collection that starts then"`
	Messages int           `yaml:"messages" doc:"most messages given out"`
	Split    time.Duration `yaml:"split" doc:"a pause of this length begins a new collection in list, and in retrieve with start enforced; off: one collection per contact"`
}

// MessageRules are the open points of section 11.
type MessageRules struct {
	OtherTypes string `yaml:"other_types" values:"feature-not-implemented|dropped" doc:"messages whose type is not chat"`
	ChatStates string `yaml:"chat_states" values:"passed_on|dropped" doc:"messages that hold a chat state only"`
}

// Faults are provoked on signed-in streams while they are set (protocol, section 12).
type Faults struct {
	StreamError  string        `yaml:"stream_error" doc:"answer every stanza with this stream error (any condition of section 12.1)"`
	MessageError string        `yaml:"message_error" doc:"answer every message that has a body with this stanza error instead of delivering it"`
	Close        bool          `yaml:"close" doc:"close abruptly at the next stanza, before acting on it"`
	Delay        time.Duration `yaml:"delay" doc:"act on each stanza this much later"`
}

// DefaultSwitches are the defaults of section 15.
func DefaultSwitches() Switches {
	var s Switches
	setFirstValues(reflect.ValueOf(&s).Elem())
	s.RedirectTarget.Chain = 1
	s.RedirectEnd.Header = true
	s.TokenLife.Life = time.Hour
	s.IdleCut = 120 * time.Second
	s.MutualContacts = true
	s.Archive.Messages = 10
	return s
}

// setFirstValues gives each string field the first of its listed values, which is its default.
func setFirstValues(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() == reflect.Struct {
			setFirstValues(field)
		} else if values := listedValues(v.Type().Field(i)); len(values) > 0 {
			field.SetString(values[0])
		}
	}
}

// Validate says which switch has a value it cannot have, naming its path.
func (s *Switches) Validate() error {
	if err := checkValues(reflect.ValueOf(s).Elem(), "switches"); err != nil {
		return err
	}
	switch {
	case s.RedirectTarget.Chain < 0 || s.RedirectTarget.Chain > maxRedirectHops:
		return fmt.Errorf("switches.redirect_target.chain: must be 0 to %d", maxRedirectHops)
	case s.IdleCut < 0:
		return errors.New("switches.idle_cut: must not be negative")
	case s.LongestStanza < 0:
		return errors.New("switches.longest_stanza: must not be negative")
	case s.TokenLife.Life <= 0:
		return errors.New("switches.token_life.life: must be positive")
	case s.Archive.Messages < 0 || s.Archive.Messages > archiveKept:
		return fmt.Errorf("switches.archive.messages: must be 0 to %d", archiveKept)
	case s.Faults.Delay < 0 || s.Faults.Delay > time.Minute:
		return errors.New("switches.faults.delay: must be 0 to 1m")
	case s.Faults.StreamError != "" && !streamConditions[s.Faults.StreamError]:
		return fmt.Errorf("switches.faults.stream_error: %q is not a stream error condition", s.Faults.StreamError)
	case s.Faults.MessageError != "" && stanzaErrorType[s.Faults.MessageError] == "":
		return fmt.Errorf("switches.faults.message_error: %q is not a stanza error condition", s.Faults.MessageError)
	}
	return nil
}

// checkValues verifies string fields that list their values.
func checkValues(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field, def := v.Field(i), v.Type().Field(i)
		key := path + "." + keyOf(def)
		if field.Kind() == reflect.Struct {
			if err := checkValues(field, key); err != nil {
				return err
			}
		} else if err := checkListed(def, field, key); err != nil {
			return err
		}
	}
	return nil
}
