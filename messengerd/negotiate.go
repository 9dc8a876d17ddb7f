package messengerd

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/messengerd/tokens"
)

// mechanism is the gateway's only SASL mechanism (protocol, section 3).
const mechanism = "X-MESSENGER-OAUTH2"

// saslTries is how many failures one stream may have (RFC 6120, 6.4.5: 2 to 5).
const saslTries = 5

// resourcesPerAccount bounds how many streams one account may have.
const resourcesPerAccount = 64

// negotiate goes from the first byte to the bound resource.
func (ses *session) negotiate() error {
	if err := ses.openStream("first_stream", ses.featuresBeforeTLS()); err != nil {
		return err
	}
	if err := ses.startTLS(); err != nil {
		return err
	}
	if err := ses.openStream("after_tls", ses.featuresMechanisms()); err != nil {
		return err
	}
	if err := ses.authenticate(); err != nil {
		return err
	}
	if err := ses.openStream("after_sasl", ses.featuresBind()); err != nil {
		return err
	}
	return ses.bind()
}

// openStream reads the client's header and answers with ours and the features,
// or with a redirect.
func (ses *session) openStream(stage string, features *element) error {
	ses.q.mu.Lock()
	ses.header = false
	ses.q.mu.Unlock()
	h, err := ses.reader.readHeader()
	if err != nil {
		return err
	}
	switch {
	case !strings.EqualFold(h.attr("to"), ses.srv.domain):
		return &streamFault{condition: "host-unknown"}
	case !strings.HasPrefix(h.attr("version"), "1."):
		return &streamFault{condition: "unsupported-version"}
	}
	if err := ses.redirect(stage); err != nil {
		return err
	}
	ses.q.mu.Lock()
	ses.header = true
	ses.q.mu.Unlock()
	to := h.attr("from")
	if to == "" {
		to = ses.token // the bare JID, once it is known
	}
	b := ses.headerBytes(to)
	b = features.appendTo(b, nsClient, styleOf(ses.srv.sw().XMLStyle))
	ses.traceOut(b)
	ses.sendBytes(b, nil)
	return nil
}

// headerBytes is the server's stream header (protocol, section 13.1).
func (ses *session) headerBytes(to string) []byte {
	var b []byte
	form := ses.srv.sw().StreamHeader
	if form != "no_declaration" {
		b = append(b, `<?xml version="1.0"?>`...)
	}
	b = append(b, "<stream:stream"...)
	if form != "no_from" {
		b = appendAttr(b, "from", ses.srv.domain)
	}
	b = appendAttr(b, "id", fmt.Sprintf("s%d", ses.srv.ids.Add(1)))
	if form == "to" {
		if to == "" {
			to = ses.srv.domain // any content will do, clients have to ignore it
		}
		b = appendAttr(b, "to", to)
	}
	b = appendAttr(b, "version", "1.0")
	b = appendAttr(b, "xml:lang", "en")
	b = appendAttr(b, "xmlns", nsClient)
	b = appendAttr(b, "xmlns:stream", nsStream)
	return append(b, '>')
}

func (ses *session) featuresBeforeTLS() *element {
	f := el(nsStream, "features")
	switch ses.srv.sw().FeaturesBeforeTLS {
	case "none":
	case "mechanisms":
		f.with(el(nsTLS, "starttls"), ses.mechanisms())
	default:
		f.with(el(nsTLS, "starttls").with(el(nsTLS, "required")))
	}
	return f
}

func (ses *session) featuresMechanisms() *element {
	return el(nsStream, "features").with(ses.mechanisms())
}

func (ses *session) mechanisms() *element {
	m := el(nsSASL, "mechanisms")
	switch ses.srv.sw().Mechanism {
	case "trailing_space":
		return m.with(el(nsSASL, "mechanism").withText(mechanism + " "))
	case "other_only":
		return m.with(el(nsSASL, "mechanism").withText("PLAIN"), el(nsSASL, "mechanism").withText("SCRAM-SHA-1"))
	default:
		return m.with(el(nsSASL, "mechanism").withText(mechanism))
	}
}

func (ses *session) featuresBind() *element {
	f := el(nsStream, "features").with(el(nsBind, "bind"))
	switch ses.srv.sw().SessionFeature {
	case "absent":
	case "optional":
		f.with(el(nsSession, "session").with(el(nsSession, "optional")))
	default:
		f.with(el(nsSession, "session"))
	}
	return f
}

// startTLS waits for <starttls/> and does the handshake. Nothing else is
// possible before; bytes sent behind <starttls/> end the connection, since they
// would have been sent unprotected.
func (ses *session) startTLS() error {
	e, err := ses.reader.next()
	if err != nil {
		return err
	}
	ses.traceIn(e)
	switch {
	case e.is(nsSASL, "auth"):
		ses.endWith(saslFailure("encryption-required"), true, closeOrderly)
		return errEnded
	case !e.is(nsTLS, "starttls"):
		return &streamFault{condition: "not-authorized"}
	case ses.srv.sw().FeaturesBeforeTLS == "none":
		ses.endWith(el(nsTLS, "failure"), true, closeOrderly)
		return errEnded
	case ses.in.br.Buffered() > 0:
		return &streamFault{condition: "policy-violation", text: "data behind starttls"}
	}
	ses.send(el(nsTLS, "proceed"))
	if !ses.q.waitEmpty(ses.srv.ctx.Done()) {
		return errEnded
	}
	ses.q.mu.Lock()
	ses.q.hold = true
	ses.q.mu.Unlock()
	conn := tls.Server(ses.raw, ses.srv.tls)
	_ = ses.raw.SetWriteDeadline(time.Now().Add(ses.srv.negotiation))
	if err := conn.HandshakeContext(ses.srv.ctx); err != nil {
		ses.srv.log.Info("TLS handshake failed", "session", ses.number, "err", err)
		ses.cut()
		return errEnded
	}
	ses.q.mu.Lock()
	ses.q.hold = false
	ses.q.conn = conn
	ses.q.mu.Unlock()
	ses.in = newCountedConn(conn)
	ses.reader = newStreamReader(ses.in)
	return nil
}

// authenticate is section 3.1.
func (ses *session) authenticate() error {
	for try := 1; ; try++ {
		e, err := ses.reader.next()
		if err != nil {
			return err
		}
		ses.traceIn(e)
		condition := ses.checkAuth(e)
		if condition == "" {
			if err := ses.redirect("during_sasl"); err != nil {
				return err
			}
			ses.send(el(nsSASL, "success"))
			return nil
		}
		if condition == "stream" {
			return &streamFault{condition: "not-authorized"}
		}
		if ses.srv.sw().SASLFailure.Stream != "open" {
			ses.endWith(saslFailure(condition), true, closeOrderly)
			return errEnded
		}
		if try >= saslTries {
			return &streamFault{condition: "policy-violation", text: "too many failed sign-ins"}
		}
		ses.send(saslFailure(condition))
	}
}

// checkAuth gives the failure's condition, "" for success, "stream" where the
// element has no place here.
func (ses *session) checkAuth(e *element) string {
	sw := ses.srv.sw()
	switch {
	case e.is(nsSASL, "abort"):
		return "aborted"
	case !e.is(nsSASL, "auth"):
		return "stream"
	case strings.TrimSpace(e.attr("mechanism")) != mechanism || sw.Mechanism == "other_only":
		return "invalid-mechanism"
	}
	value := strings.TrimSpace(e.text)
	if value == "" || value == "=" {
		return "malformed-request"
	}
	account, status := ses.srv.tokens.Lookup(value)
	if status == tokens.Unknown && strings.Contains(value, "%") {
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
			account, status = ses.srv.tokens.Lookup(value)
		}
	}
	if status != tokens.Valid || sw.SASLFailure.Always || ses.srv.Account(account) == nil {
		ses.srv.log.Info("sign-in refused", "session", ses.number, "token", status.String())
		return sw.SASLFailure.Condition
	}
	ses.token = account
	ses.expires, _ = ses.srv.tokens.ExpiresAt(value)
	return ""
}

func saslFailure(condition string) *element {
	f := el(nsSASL, "failure")
	if condition != "none" {
		f.with(el(nsSASL, condition))
	}
	return f
}

// bind waits for a resource to be bound (RFC 6120, 7).
func (ses *session) bind() error {
	for {
		e, err := ses.reader.next()
		if err != nil {
			return err
		}
		ses.traceIn(e)
		request := e.child(nsBind, "bind")
		if !e.is(nsClient, "iq") || request == nil {
			return &streamFault{condition: "not-authorized"}
		}
		if err := ses.redirect("at_bind"); err != nil {
			return err
		}
		wanted := strings.TrimSpace(request.childText(nsBind, "resource"))
		condition := ses.tryBind(e, wanted)
		if condition == "" {
			result := el(nsClient, "iq", "type", "result", "id", e.attr("id"))
			result.with(el(nsBind, "bind").with(el(nsBind, "jid").withText(ses.jid)))
			ses.touch()
			ses.send(result)
			ses.srv.log.Info("signed in", "session", ses.number, "jid", ses.jid)
			return nil
		}
		ses.send(errorReply(e, condition))
	}
}

// tryBind chooses the resource and registers the session with its account.
func (ses *session) tryBind(e *element, wanted string) (condition string) {
	sw := ses.srv.sw()
	account := ses.srv.Account(ses.token)
	switch {
	case account == nil || e.attr("type") != "set":
		return "bad-request"
	case wanted != "" && sw.Resource == "conflict":
		return "conflict"
	case wanted == "" || sw.Resource == "overridden":
		wanted = guid()
	}
	if _, err := jid.Parse(account.jid + "/" + wanted); err != nil {
		return "bad-request"
	}
	ses.resource, ses.jid, ses.since = wanted, account.jid+"/"+wanted, ses.srv.now()
	ses.touch()
	return account.register(ses)
}
