package xmppside

import (
	"context"
	"encoding/xml"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/xmppside/chatstate"
	"matrix-messenger/xmppside/delay"
	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/nick"
	"matrix-messenger/xmppside/presence"
	"matrix-messenger/xmppside/roster"
	"matrix-messenger/xmppside/session"
)

// inbound turns the stanzas of one session into events. Only for the reading goroutine, which is that of Account.Run.
type inbound struct {
	account *Account
	session *Session
	timer   *time.Timer // for the roster
	online  time.Time   // since when; zero: not yet
}

var _ session.Handler = (*inbound)(nil)

// HandleStanza implements session.Handler.
func (in *inbound) HandleStanza(ctx context.Context, s *session.Stanza) error {
	ev, err := in.event(s)
	if err != nil || ev == nil {
		return err
	}
	return in.account.cfg.Handler.Handle(ctx, ev)
}

// HandleSet implements session.Handler: roster pushes, from a sender that may make them.
func (in *inbound) HandleSet(ctx context.Context, _ string, trusted bool, s *session.Stanza) (string, error) {
	if s.Start.Name != (xml.Name{Space: roster.NS, Local: "query"}) || !trusted {
		return "service-unavailable", nil
	}
	var query roster.Query
	if err := s.Decode(&query); err != nil {
		return "", err
	}
	item, err := query.Push()
	if err != nil {
		return "bad-request", nil
	}
	return "", in.account.cfg.Handler.Handle(ctx, RosterPush{Item: item})
}

// event decodes a stanza; nil when there is nothing to tell.
func (in *inbound) event(s *session.Stanza) (Event, error) {
	if s.Start.Name.Local == "message" {
		var m message
		if err := s.Decode(&m); err != nil {
			return nil, err
		}
		return m.event(), nil
	}
	var p presence.Stanza
	if err := s.Decode(&p); err != nil {
		return nil, err
	}
	return in.presenceEvent(p), nil
}

// message is a <message/> as read. Addresses are text: one that is no JID is data.
type message struct {
	From    string           `xml:"from,attr"`
	ID      string           `xml:"id,attr"`
	Type    string           `xml:"type,attr"`
	Bodies  []body           `xml:"jabber:client body"`
	Delay   *delay.Delay     `xml:"urn:xmpp:delay delay"`
	Legacy  *delay.Delay     `xml:"jabber:x:delay x"`
	Nick    *nick.Nick       `xml:"http://jabber.org/protocol/nick nick"`
	Failure *iq.ErrorPayload `xml:"jabber:client error"`
	chatstate.Elements
}

type body struct {
	Lang string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Text string `xml:",chardata"`
}

// text picks the body without a language, else the first one.
func (m message) text() (text string, ok bool) {
	for _, b := range m.Bodies {
		if b.Lang == "" {
			return b.Text, true
		}
	}
	if len(m.Bodies) > 0 {
		return m.Bodies[0].Text, true
	}
	return "", false
}

func (m message) event() Event {
	from, _ := jid.Parse(m.From) // zero when it is none
	if m.Type == "error" {
		payload := m.Failure
		if payload == nil {
			payload = new(iq.ErrorPayload)
		}
		return MessageError{ID: m.ID, From: from, FromRaw: m.From, Err: payload.Err()}
	}
	text, ok := m.text()
	if !ok {
		if state := m.State(); state != chatstate.None && m.From != "" {
			return ChatState{From: from, State: state}
		}
		return nil
	}
	ev := Message{
		From: from, FromRaw: m.From, ID: m.ID, Type: m.Type, Body: text,
		Delay: delay.Original(m.Delay, m.Legacy), Nick: m.Nick.Name(), ChatState: m.State(),
	}
	if ev.Type == "" {
		ev.Type = "normal" // RFC 6121, 5.2.2
	}
	return ev
}

func (in *inbound) presenceEvent(p presence.Stanza) Event {
	from, err := jid.Parse(p.From)
	if p.Type == presence.Error {
		return PresenceError{From: from, FromRaw: p.From, Err: p.Err()}
	}
	if err != nil {
		return nil // nobody's presence
	}
	own := in.session.JID().Bare().String()
	switch {
	case strings.EqualFold(from.Bare().String(), own):
		return nil // from this or another of the user's sessions (messenger-protocol.md 8)
	case p.Type.IsState():
		return PresenceUpdate{From: from, State: p.State()}
	case p.Type.IsSubscription():
		raw, _, _ := strings.Cut(p.From, "/")
		return Subscription{Type: p.Type, From: from.Bare(), FromRaw: raw, Nick: p.Nick.Name(), Text: p.Status()}
	default:
		return nil // probes are for servers
	}
}
