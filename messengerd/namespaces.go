package messengerd

// Namespaces, by the documents that define them.
const (
	nsStream    = "http://etherx.jabber.org/streams"      // RFC 6120
	nsClient    = "jabber:client"                         // RFC 6120
	nsStreams   = "urn:ietf:params:xml:ns:xmpp-streams"   // RFC 6120, stream errors
	nsStanzas   = "urn:ietf:params:xml:ns:xmpp-stanzas"   // RFC 6120, stanza errors
	nsTLS       = "urn:ietf:params:xml:ns:xmpp-tls"       // RFC 6120
	nsSASL      = "urn:ietf:params:xml:ns:xmpp-sasl"      // RFC 6120
	nsBind      = "urn:ietf:params:xml:ns:xmpp-bind"      // RFC 6120
	nsSession   = "urn:ietf:params:xml:ns:xmpp-session"   // RFC 3921
	nsRoster    = "jabber:iq:roster"                      // RFC 6121
	nsDisco     = "http://jabber.org/protocol/disco#info" // XEP-0030
	nsVCard     = "vcard-temp"                            // XEP-0054
	nsRSM       = "http://jabber.org/protocol/rsm"        // XEP-0059
	nsChatState = "http://jabber.org/protocol/chatstates" // XEP-0085
	nsArchive   = "urn:xmpp:archive"                      // XEP-0136
	nsNick      = "http://jabber.org/protocol/nick"       // XEP-0172
	nsPing      = "urn:xmpp:ping"                         // XEP-0199
	nsDelay     = "urn:xmpp:delay"                        // XEP-0203
	nsLookup    = "http://messenger.live.com/xmpp/jidlookup"
)

const nsXML = "http://www.w3.org/XML/1998/namespace"

// streamConditions are the stream error conditions of section 12.1.
var streamConditions = map[string]bool{
	"bad-format": true, "bad-namespace-prefix": true, "conflict": true, "connection-timeout": true, "host-gone": true,
	"host-unknown": true, "improper-addressing": true, "internal-server-error": true, "invalid-from": true,
	"invalid-namespace": true, "invalid-xml": true, "not-authorized": true, "not-well-formed": true,
	"policy-violation": true, "remote-connection-failed": true, "reset": true, "resource-constraint": true,
	"restricted-xml": true, "see-other-host": true, "system-shutdown": true, "undefined-condition": true,
	"unsupported-encoding": true, "unsupported-feature": true, "unsupported-stanza-type": true, "unsupported-version": true,
}

// stanzaErrorType is the usual type of each stanza error condition (section 12.1).
var stanzaErrorType = map[string]string{
	"bad-request": "modify", "conflict": "cancel", "feature-not-implemented": "cancel", "forbidden": "auth",
	"gone": "cancel", "internal-server-error": "cancel", "item-not-found": "cancel", "jid-malformed": "modify",
	"not-acceptable": "modify", "not-allowed": "cancel", "not-authorized": "auth", "policy-violation": "modify",
	"recipient-unavailable": "wait", "redirect": "modify", "registration-required": "auth",
	"remote-server-not-found": "cancel", "remote-server-timeout": "wait", "resource-constraint": "wait",
	"service-unavailable": "cancel", "subscription-required": "auth", "undefined-condition": "cancel",
	"unexpected-request": "wait",
}
