package messengerd

import (
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

// handle acts on one stanza of a signed-in client. An error ends the session.
func (ses *session) handle(e *element) error {
	sw := ses.srv.sw()
	if sw.Faults.Delay > 0 {
		select {
		case <-time.After(sw.Faults.Delay):
		case <-ses.srv.ctx.Done():
		}
	}
	switch {
	case sw.Faults.Close:
		ses.cut()
		return errEnded
	case sw.Faults.StreamError != "":
		return &streamFault{condition: sw.Faults.StreamError, text: "A fault was asked for."}
	case e.space != nsClient:
		return &streamFault{condition: "unsupported-stanza-type"}
	}
	if from := e.attr("from"); from != "" && !ses.own(from) {
		return &streamFault{condition: "invalid-from"}
	}
	switch e.name {
	case "iq":
		ses.handleIQ(e)
	case "message":
		ses.handleMessage(e)
	case "presence":
		return ses.handlePresence(e)
	default:
		return &streamFault{condition: "unsupported-stanza-type"}
	}
	return nil
}

// own says whether an address is the session's own, bare or full (protocol, section 5.1).
func (ses *session) own(address string) bool {
	bare, resource, full := strings.Cut(address, "/")
	return strings.EqualFold(bare, ses.account.jid) && (!full || resource == ses.resource)
}

// handleIQ answers every get and set exactly once (protocol, section 5.2).
func (ses *session) handleIQ(iq *element) {
	kind := iq.attr("type")
	switch {
	case kind == "result" || kind == "error":
		return // answers to our pushes
	case kind != "get" && kind != "set", iq.attr("id") == "", len(iq.children) != 1:
		ses.refuse(iq, "bad-request")
		return
	}
	child, to := iq.children[0], iq.attr("to")
	if child.is(nsLookup, "getjid") { // by namespace, whatever the address says (section 7)
		ses.lookup(iq, kind)
		return
	}
	if to == "" || ses.own(to) {
		ses.handleOwnIQ(iq, child, kind)
		return
	}
	j, err := jid.Parse(to)
	switch {
	case err != nil:
		ses.refuse(iq, "jid-malformed")
	case !strings.EqualFold(j.Domainpart(), ses.srv.domain):
		ses.refuse(iq, "remote-server-not-found")
	case j.Localpart() == "":
		ses.handleDomainIQ(iq, child, kind)
	case child.is(nsVCard, "vCard") && kind == "get" && j.Resourcepart() == "":
		ses.contactVCard(iq, to)
	default:
		ses.refuse(iq, "service-unavailable")
	}
}

// handleOwnIQ is a request without to, or to the own account.
func (ses *session) handleOwnIQ(iq, child *element, kind string) {
	switch {
	case child.is(nsRoster, "query") && kind == "get":
		ses.rosterGet(iq)
	case child.is(nsRoster, "query"):
		ses.rosterSet(iq, child)
	case child.is(nsSession, "session") && kind == "set":
		ses.reply(iq, nil)
	case child.is(nsBind, "bind"):
		ses.refuse(iq, "not-allowed")
	case child.is(nsVCard, "vCard"):
		ses.ownVCard(iq, kind)
	case child.space == nsArchive:
		ses.archive(iq, child, kind)
	case child.is(nsDisco, "query") && kind == "get", child.is(nsPing, "ping") && kind == "get":
		ses.handleDomainIQ(iq, child, kind)
	default:
		ses.refuse(iq, "service-unavailable")
	}
}

// handleDomainIQ is a request to the domain.
func (ses *session) handleDomainIQ(iq, child *element, kind string) {
	switch {
	case child.is(nsDisco, "query") && kind == "get":
		ses.disco(iq)
	case child.is(nsPing, "ping") && kind == "get":
		ses.ping(iq)
	case child.is(nsSession, "session") && kind == "set":
		ses.reply(iq, nil) // some clients addressed it to the domain
	case child.space == nsArchive:
		ses.archive(iq, child, kind)
	default:
		ses.refuse(iq, "service-unavailable")
	}
}

// replyFrom is the from of an answer: the request's to, or by the switch where
// the request had none.
func (ses *session) replyFrom(iq *element) string {
	if to := iq.attr("to"); to != "" {
		return to
	}
	return ses.srv.fromForm(ses.srv.sw().IQFrom.Reply, ses)
}

// fromForm turns a value of the switch iq_from into an address.
func (s *Server) fromForm(form string, ses *session) string {
	switch form {
	case "domain":
		return s.domain
	case "bare":
		return ses.account.jid
	case "full":
		return ses.jid
	case "foreign":
		return "foreign@example.org"
	default:
		return ""
	}
}

// reply answers a request with a result.
func (ses *session) reply(iq, child *element) {
	ses.send(el(nsClient, "iq", "type", "result", "id", iq.attr("id"), "from", ses.replyFrom(iq), "to", ses.jid).with(child))
}

// refuse answers a request with an error that holds the request's child.
func (ses *session) refuse(iq *element, condition string) {
	e := errorStanza(iq, condition, ses.jid)
	if iq.attr("to") == "" {
		e.set("from", ses.replyFrom(iq))
	}
	ses.send(e)
}

// errorStanza answers a stanza with an error (protocol, section 13.10).
func errorStanza(e *element, condition, to string) *element {
	answer := el(nsClient, e.name, "type", "error", "id", e.attr("id"), "from", e.attr("to"), "to", to)
	answer.with(e.children...)
	kind := stanzaErrorType[condition]
	if kind == "" {
		kind = "cancel"
	}
	return answer.with(el(nsClient, "error", "type", kind).with(el(nsStanzas, condition)))
}

// errorReply is errorStanza before there is a resource: without addresses.
func errorReply(e *element, condition string) *element {
	return errorStanza(e, condition, "").set("from", "")
}

// disco is section 5.3.
func (ses *session) disco(iq *element) {
	form := ses.srv.sw().DiscoInfo
	switch form {
	case "silence":
		return
	case "error":
		ses.refuse(iq, "service-unavailable")
		return
	}
	feature := func(name string) *element { return el(nsDisco, "feature", "var", name) }
	q := el(nsDisco, "query").with(el(nsDisco, "identity", "category", "server", "type", "im"), feature(nsDisco), feature(nsVCard), feature(nsArchive))
	if form == "jidlookup" {
		q.with(feature(nsLookup))
	}
	ses.reply(iq, q)
}

// ping is section 5.4: the gateway most likely answered with an error.
func (ses *session) ping(iq *element) {
	switch ses.srv.sw().Ping {
	case "silence":
	case "result":
		ses.reply(iq, nil)
	default:
		ses.refuse(iq, "service-unavailable")
	}
}

// lookup is section 7: from a Microsoft account's address to its JID.
func (ses *session) lookup(iq *element, kind string) {
	sw, address := ses.srv.sw(), iq.attr("to")
	from := address
	switch sw.GetJID.ReplyFrom {
	case "domain":
		from = ses.srv.domain
	case "own":
		from = ses.account.jid
	case "absent":
		from = ""
	}
	fail := func(condition string) {
		ses.send(errorStanza(iq, condition, ses.jid).set("from", from))
	}
	if kind != "get" {
		fail("bad-request")
		return
	}
	j, err := jid.Parse(address)
	if err != nil || j.Localpart() == "" || j.Resourcepart() != "" {
		fail("jid-malformed")
		return
	}
	answer := el(nsLookup, "getjid")
	ses.srv.people.RLock()
	found := ses.srv.byMail[strings.ToLower(address)]
	ses.srv.people.RUnlock()
	if found != nil {
		answer.with(el(nsLookup, "jid").withText(found.jid))
	} else if sw.GetJID.Unknown == "silence" {
		return
	} else if sw.GetJID.Unknown != "empty" {
		fail("item-not-found")
		return
	}
	ses.send(el(nsClient, "iq", "type", "result", "id", iq.attr("id"), "from", from, "to", ses.jid).with(answer))
}
