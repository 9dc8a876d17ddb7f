package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/xmppside/internal/memnet"
)

func streamErrorXML(condition, content string) string {
	return `<stream:error xmlns:stream="http://etherx.jabber.org/streams"><` + condition + ` xmlns="urn:ietf:params:xml:ns:xmpp-streams">` + content + `</` + condition + `></stream:error>`
}

func TestSigningIn(t *testing.T) {
	const redirect = "BAYMSG1.gateway.example"
	seeOther := streamErrorXML("see-other-host", redirect)
	iqError := func(id, condition string) string {
		return `<iq type="error" id="` + id + `"><error type="cancel"><` + condition + ` xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>`
	}
	for _, c := range []struct {
		name      string
		steps     []step
		cause     Cause // empty: signed in
		condition string
		secret    bool // the sign-in may have been sent
	}{
		{"by the book", plain(), "", "", true},
		{"white space everywhere", []step{
			{"<stream:stream", "\n " + serverHeader + "\r\n\t" + strings.ReplaceAll(offerTLS, "><", "> <") + "  "},
			{"<starttls", "\n" + proceed + markTLS},
			{"<stream:stream", "\n" + serverHeader + "\n\n" + offerSASL + "\n"},
			{"</auth>", "\n" + success + "\n"},
			{"<stream:stream", serverHeader + "\n" + offerBind + "\n"},
			{"</iq>", "\n" + bound + "\n"},
			{"</iq>", "\n" + sessionDone + "\n"},
		}, "", "", true},
		{"the header in single quotes, addressed to somebody, without id", after(2, append([]step{
			{"<stream:stream", `<stream:stream to='x@` + domain + `' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>` + offerSASL},
		}, plain()[3:]...)...), "", "", true},
		{"other prefixes", after(2, append([]step{
			{"<stream:stream", `<s:stream from="MESSENGER.live.com" version="1.0" xmlns="jabber:client" xmlns:s="http://etherx.jabber.org/streams"><s:features><q:mechanisms xmlns:q="urn:ietf:params:xml:ns:xmpp-sasl"><q:mechanism> TEST </q:mechanism></q:mechanisms></s:features>`},
		}, plain()[3:]...)...), "", "", true},
		{"no default namespace", after(4, step{"<stream:stream", `<stream:stream version="1.0" xmlns:stream="http://etherx.jabber.org/streams">` + offerBind}, plain()[5], plain()[6]), "", "", true},
		{"everything in one packet", after(3, step{"</auth>", success + serverHeader + offerBind}, step{"</iq>", bound}, step{"</iq>", sessionDone}), "", "", true},
		{"no session feature", after(4, step{"<stream:stream", serverHeader + strings.Replace(offerBind, `<session xmlns="urn:ietf:params:xml:ns:xmpp-session" />`, "", 1)}, plain()[5]), "", "", true},
		{"optional session", after(4, step{"<stream:stream", serverHeader + strings.Replace(offerBind, `-session" />`, `-session"><optional/></session>`, 1)}, plain()[5]), "", "", true},
		{"session refused", after(6, step{"</iq>", iqError("s1", "forbidden")}), "", "", true},
		{"other stanzas before the answer", after(5, step{"</iq>", `<presence/><iq type="result" id="zz"/><iq type="get" id="b1"><x xmlns="y"/></iq>` + bound}, plain()[6]), "", "", true},
		{"a challenge", after(3, step{"</auth>", `<challenge xmlns="urn:ietf:params:xml:ns:xmpp-sasl">c</challenge>`}, step{"re:c</response>", success}, plain()[4], plain()[5], plain()[6]), "", "", true},
		{"bind conflict, then without a resource", after(5,
			step{"bridge</resource></bind></iq>", iqError("b1", "conflict")},
			step{`<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>`, strings.Replace(bound, "b1", "b2", 1)}, plain()[6]), "", "", true},

		{"silence at once", []step{{"never", ""}}, Lost, "", false},
		{"silence after the header", []step{{"<stream:stream", serverHeader}}, Lost, "", false},
		{"silence after TLS", after(2), Lost, "", false},
		{"silence after auth", after(3), Lost, "", true},
		{"silence at bind", after(5), Lost, "", true},
		{"end at once", []step{{"", markClose}}, Lost, "", false},
		{"end in the middle of a tag", []step{{"<stream:stream", `<stream:st` + markClose}}, Lost, "", false},
		{"stream end in place of features", after(2, step{"<stream:stream", serverHeader + "</stream:stream>"}), Lost, "", false},
		{"stray end tag after success", after(3, step{"</auth>", success + "</stream:stream>" + markClose}), Lost, "", true},

		{"no STARTTLS, empty features", []step{{"<stream:stream", serverHeader + "<stream:features/>"}}, NoTLS, "", false},
		{"no STARTTLS, mechanisms instead", []step{{"<stream:stream", serverHeader + offerSASL}}, NoTLS, "", false},
		{"STARTTLS refused", after(1, step{"<starttls", `<failure xmlns="urn:ietf:params:xml:ns:xmpp-tls"/></stream:stream>`}), TLSRefused, "", false},
		{"text injected behind proceed", after(1, step{"<starttls", proceed + serverHeader + offerSASL}), Unexpected, "", false},
		{"handshake broken off", after(1, step{"<starttls", proceed + markTwo + "this is not TLS at all, is it?"}), TLSBroken, "", false},
		{"connection closed in the handshake", after(1, step{"<starttls", proceed + markTwo + markClose}), TLSBroken, "", false},

		{"another domain", []step{{"<stream:stream", strings.Replace(serverHeader, domain, "evil.example", 1) + offerTLS}}, WrongHost, "", false},
		{"a stream error from another domain", []step{{"<stream:stream", strings.Replace(serverHeader, domain, "evil.example", 1) + streamErrorXML("host-unknown", "")}}, StreamError, "host-unknown", false},
		{"not XMPP", []step{{"<stream:stream", "HTTP/1.1 400 Bad Request\r\n\r\n"}}, Malformed, "", false},
		{"a web page", []step{{"<stream:stream", "<html><body/></html>"}}, Malformed, "", false},
		{"no mechanisms", after(2, step{"<stream:stream", serverHeader + "<stream:features/>"}), NoMechanism, "", false},
		{"other mechanisms", after(2, step{"<stream:stream", serverHeader + strings.Replace(offerSASL, "TEST", "PLAIN", 1)}), NoMechanism, "", false},
		{"no bind", after(4, step{"<stream:stream", serverHeader + "<stream:features/>"}), Unexpected, "", true},

		{"redirect on the first stream", []step{{"<stream:stream", serverHeader + seeOther}}, Redirected, "see-other-host", false},
		{"redirect without a header", []step{{"<stream:stream", seeOther + "</stream:stream>"}}, Redirected, "see-other-host", false},
		{"redirect without a header, prefix not declared", []step{{"<stream:stream", strings.Replace(seeOther, ` xmlns:stream="http://etherx.jabber.org/streams"`, "", 1)}}, Redirected, "see-other-host", false},
		{"redirect in place of features", after(2, step{"<stream:stream", serverHeader + seeOther + "</stream:stream>" + markClose}), Redirected, "see-other-host", false},
		{"redirect in place of success", after(3, step{"</auth>", seeOther}), Redirected, "see-other-host", true},
		{"redirect in the packet of success", after(3, step{"</auth>", success + serverHeader + seeOther + markClose}), Redirected, "see-other-host", true},
		{"redirect at bind", after(5, step{"</iq>", seeOther}), Redirected, "see-other-host", true},

		{"refused", after(3, step{"</auth>", `<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><text xml:lang="en">no</text><not-authorized /></failure></stream:stream>`}), SASL, "not-authorized", true},
		{"refused without a reason", after(3, step{"</auth>", `<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>`}), SASL, "", true},
		{"success without proof", after(3, step{"</auth>", strings.Replace(success, " />", ">forged</success>", 1)}), SASL, "aborted", true},
		{"bind refused", after(5, step{"</iq>", iqError("b1", "resource-constraint")}), Bind, "resource-constraint", true},
		{"bind refused twice", after(5, step{"</iq>", iqError("b1", "conflict")}, step{"</iq>", iqError("b2", "not-allowed")}), Bind, "not-allowed", true},
		{"bind without a JID", after(5, step{"</iq>", `<iq type="result" id="b1"/>`}), Unexpected, "", true},
		{"bind with a bad JID", after(5, step{"</iq>", strings.Replace(bound, "U1@", "@@", 1)}), Unexpected, "", true},
		{"bind without a resource", after(5, step{"</iq>", strings.Replace(bound, "/bridge<", "<", 1)}), Unexpected, "", true},
		{"something else in place of success", after(3, step{"</auth>", `<presence/>`}), Unexpected, "", true},

		{"a DTD", []step{{"<stream:stream", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>` + serverHeader}}, Malformed, "", false},
		{"a processing instruction", []step{{"<stream:stream", serverHeader + `<?php x ?>` + offerTLS}}, Malformed, "", false},
		{"a comment", []step{{"<stream:stream", serverHeader + `<!-- x -->` + offerTLS}}, Malformed, "", false},
		{"another encoding", []step{{"<stream:stream", `<?xml version="1.0" encoding="UTF-16"?>` + serverHeader}}, Malformed, "", false},
		{"deep nesting", []step{{"<stream:stream", serverHeader + "<stream:features>" + strings.Repeat("<a>", 1000)}}, Malformed, "", false},
		{"features without an end", []step{{"<stream:stream", serverHeader + "<stream:features>" + strings.Repeat("<a/>", 20000)}}, Oversize, "", false},
		{"a huge attribute", []step{{"<stream:stream", serverHeader + `<a b="` + strings.Repeat("x", 100000) + `"/>`}}, Oversize, "", false},
		{"many attributes", []step{{"<stream:stream", serverHeader + "<a " + manyAttributes(200) + "/>"}}, Malformed, "", false},
		{"a huge header", []step{{"<stream:stream", strings.Replace(serverHeader, "id=", `x="`+strings.Repeat("x", 10000)+`" id=`, 1) + offerTLS}}, Oversize, "", false},
		{"a dripping header", []step{{"<stream:stream", "<stream" + strings.Repeat(" "+markPause, 10)}}, Oversize, "", false},
		{"dripping white space", []step{{"<stream:stream", strings.Repeat(" "+markPause, 10)}}, Lost, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s, p, err := dial(t, c.steps, testOptions())
				if took := time.Since(began); took > 65*time.Second {
					t.Errorf("took %v", took)
				}
				if c.cause == "" {
					if err != nil {
						t.Fatal(err)
					}
					if got := s.JID().String(); !strings.EqualFold(got, "u1@"+domain+"/bridge") {
						t.Errorf("signed in as %s", got)
					}
					s.Close()
					if f := s.Run(t.Context(), nil); f.Cause != Closed {
						t.Errorf("closing gave %v", f)
					}
					if !strings.HasSuffix(p.said(), closingTag) || !strings.Contains(p.said(), "secret&lt;&amp;&gt;</auth>") {
						t.Errorf("the service heard %s", p.said())
					}
					return
				}
				var f *Failure
				if !errors.As(err, &f) {
					t.Fatalf("got %v", err)
				}
				condition := c.condition
				if f.Cause == Redirected {
					if f.Target != redirect {
						t.Errorf("redirected to %q", f.Target)
					}
				}
				if f.Cause != c.cause || f.Condition != condition {
					t.Errorf("got %v, want %s %s", f, c.cause, condition)
				}
				if !c.secret && strings.Contains(p.said(), "secret") {
					t.Error("the sign-in was sent")
				}
			})
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("b", i) + `="x"`)
	}
	return b.String()
}

func TestAnAuthenticatorThatGivesUpAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := testOptions()
		opts.Authenticator = testAuth{refuse: true}
		_, _, err := dial(t, after(3,
			step{"</auth>", `<challenge xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>`},
			step{"<abort", `<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><aborted/></failure>`}), opts)
		var f *Failure
		if !errors.As(err, &f) || f.Cause != SASL || f.Condition != "aborted" {
			t.Error(err)
		}
	})
}

func TestAContextEndsASignInAtOnce(t *testing.T) {
	for n := range plain() {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			ours, theirs := memnet.Pipe()
			go newPeer(t, theirs).play(after(n))
			began := time.Now()
			_, err := Connect(ctx, ours, testOptions())
			if err == nil || time.Since(began) > 4*time.Second {
				t.Errorf("step %d: %v after %v", n, err, time.Since(began))
			}
		})
	}
}

func TestInspectingFindsTheOfferAndSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memnet.Pipe()
		p := newPeer(t, theirs)
		go p.play(after(3))
		offer, err := Inspect(t.Context(), ours, testOptions())
		if err != nil || len(offer.Mechanisms) != 1 || offer.Mechanisms[0] != "TEST" || len(offer.TLS.PeerCertificates) != 1 {
			t.Errorf("%+v, %v", offer.Mechanisms, err)
		}
		synctest.Wait()
		if said := p.said(); strings.Contains(said, "<auth") || !strings.HasSuffix(said, closingTag) {
			t.Errorf("the service heard %s", said)
		}
	})
}
