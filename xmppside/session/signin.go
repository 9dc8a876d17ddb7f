package session

import (
	"encoding/xml"
	"errors"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/xmltext"
)

// maxRounds is how many challenges one SASL exchange may have.
const maxRounds = 10

var (
	errNoBind    = errors.New("the service offers no resource binding")
	errNoJID     = errors.New("the service did not say who the user is")
	errRounds    = errors.New("the sign-in had too many challenges")
	errNoTLSHere = errors.New("the sign-in was to be sent without encryption")
)

// authenticate signs in (RFC 6120, 6). The connection is encrypted and the certificate accepted, or this is a bug.
func (n *negotiation) authenticate(f features) error {
	if !n.tls.HandshakeComplete {
		return &Failure{Cause: Unexpected, Err: errNoTLSHere}
	}
	mechanism, text, ok := n.opts.Authenticator.Start(f.mechanisms(), n.tls)
	if !ok {
		return &Failure{Cause: NoMechanism}
	}
	n.step()
	b := append([]byte(nil), `<auth xmlns='`+nsSASL+`'`...)
	b = xmltext.AppendAttr(b, "mechanism", mechanism)
	b = append(b, '>')
	b = xmltext.AppendText(b, text)
	if err := n.write(append(b, "</auth>"...)); err != nil {
		return err
	}
	for range maxRounds {
		start, err := n.next()
		if err != nil {
			return err
		}
		var answer struct {
			Text string `xml:",chardata"`
		}
		switch start.Name {
		case xml.Name{Space: nsSASL, Local: "success"}:
			if err := n.in.decode(start, &answer); err != nil {
				return err
			}
			if err := n.opts.Authenticator.Finish(answer.Text); err != nil {
				return &Failure{Cause: SASL, Condition: "aborted", Err: err}
			}
			return nil
		case xml.Name{Space: nsSASL, Local: "failure"}:
			return n.saslFailure(start)
		case xml.Name{Space: nsSASL, Local: "challenge"}:
			if err := n.in.decode(start, &answer); err != nil {
				return err
			}
			if err := n.respond(answer.Text); err != nil {
				return err
			}
		default:
			return n.unexpected(start)
		}
	}
	return &Failure{Cause: SASL, Condition: "aborted", Err: errRounds}
}

// respond answers a challenge, or aborts; the service's <failure/> to that comes next.
func (n *negotiation) respond(challenge string) error {
	response, err := n.opts.Authenticator.Next(challenge)
	if err != nil {
		return n.write([]byte(`<abort xmlns='` + nsSASL + `'/>`))
	}
	b := append([]byte(nil), `<response xmlns='`+nsSASL+`'>`...)
	b = xmltext.AppendText(b, response)
	return n.write(append(b, "</response>"...))
}

// saslFailure reads <failure/>; the condition stays empty when there is none.
func (n *negotiation) saslFailure(start xml.StartElement) error {
	var payload struct {
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := n.in.decode(start, &payload); err != nil {
		return err
	}
	f := &Failure{Cause: SASL}
	for _, child := range payload.Children {
		switch {
		case child.XMLName.Local == "text":
			f.Text = words(child.Text)
		case f.Condition == "":
			f.Condition = words(child.XMLName.Local)
		}
	}
	return f
}

// bind asks for a resource (RFC 6120, 7), once more without naming one if the name is refused (messenger-protocol.md
// 12.3). The JID in the answer is the only source of who the user is (5.1).
func (n *negotiation) bind(f features) (jid.JID, error) {
	if f.Bind == nil {
		return jid.JID{}, &Failure{Cause: Unexpected, Err: errNoBind}
	}
	address, err := n.bindAs("b1", n.opts.Resource)
	var refused *Failure
	if n.opts.Resource != "" && errors.As(err, &refused) && refused.Cause == Bind {
		switch stanza.Condition(refused.Condition) {
		case stanza.Conflict, stanza.NotAllowed, stanza.BadRequest:
			return n.bindAs("b2", "")
		}
	}
	return address, err
}

func (n *negotiation) bindAs(id, resource string) (jid.JID, error) {
	payload := []byte(`<bind xmlns="` + nsBind + `"`)
	if resource == "" {
		payload = append(payload, "/>"...)
	} else {
		payload = xmltext.AppendElement(append(payload, '>'), "resource", resource)
		payload = append(payload, "</bind>"...)
	}
	var result struct {
		XMLName xml.Name `xml:"urn:ietf:params:xml:ns:xmpp-bind bind"`
		JID     string   `xml:"urn:ietf:params:xml:ns:xmpp-bind jid"`
	}
	if err := n.ask(id, payload, &result); err != nil {
		var refused stanza.Error
		if errors.As(err, &refused) {
			return jid.JID{}, &Failure{Cause: Bind, Condition: string(refused.Condition), Text: words(refused.Text[""]), Err: refused}
		}
		return jid.JID{}, err
	}
	address, err := jid.Parse(result.JID)
	if err != nil || address.Localpart() == "" || address.Resourcepart() == "" {
		return jid.JID{}, &Failure{Cause: Unexpected, Text: words(result.JID), Err: errNoJID}
	}
	return address, nil
}

// session asks for the old kind of session (RFC 3921, 3) where it is offered and not optional. An error is no reason to
// stop (messenger-protocol.md 12.3).
func (n *negotiation) session(f features) error {
	if f.Session == nil || f.Session.Optional != nil {
		return nil
	}
	err := n.ask("s1", []byte(`<session xmlns="`+nsSession+`"/>`), nil)
	if iq.Answered(err) {
		return nil
	}
	return err
}

// ask sends a request during the sign-in and waits for its answer. What else comes meanwhile is skipped; requests are
// not answered, as the session has not begun.
func (n *negotiation) ask(id string, payload []byte, into any) error {
	n.step()
	deadline := time.Now().Add(n.opts.StepTimeout)
	if err := n.write(appendIQ("set", id, "", payload)); err != nil {
		return err
	}
	for time.Now().Before(deadline) {
		start, err := n.next()
		if err != nil {
			return err
		}
		typ := attr(start, "type")
		if start.Name != (xml.Name{Space: nsClient, Local: "iq"}) || attr(start, "id") != id || typ != "result" && typ != "error" {
			if err := n.in.skip(); err != nil {
				return err
			}
			continue
		}
		err = iq.Decode(n.in.dec, start, into)
		if err != nil && !iq.Answered(err) {
			return readFailure(err)
		}
		n.in.end()
		if errors.Is(err, iq.ErrUnreadable) {
			return &Failure{Cause: Unexpected, Err: err}
		}
		return err
	}
	return &Failure{Cause: Lost, Err: errors.New("no answer in time")}
}
