package bridge

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"mellium.im/xmpp/jid"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// Finding people and asking them to become contacts (messenger-protocol.md 6.2, 7).

var (
	_ bridgev2.IdentifierResolvingNetworkAPI = (*Client)(nil)
	_ bridgev2.GhostDMCreatingNetworkAPI     = (*Client)(nil)
)

// lookupTimeout bounds the search for an e-mail address.
const lookupTimeout = 30 * time.Second

// roomWait bounds how long notices wait for the room that the framework makes after a request was noted.
const roomWait = 2 * time.Minute

// resolveError is a sentence for whoever asked, in the bot and in the provisioning API.
type resolveError struct {
	bridgev2.RespError
	cause error
}

func (e *resolveError) Error() string      { return e.Err }
func (e *resolveError) HumanError() string { return e.Err }
func (e *resolveError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.RespError}
	}
	return []error{e.RespError, e.cause}
}

// MarshalZerologObject keeps the sentence out of the log: it holds what was typed, such as the e-mail address of somebody who has nothing to do with the bridge.
func (e *resolveError) MarshalZerologObject(log *zerolog.Event) {
	log.Str("code", e.ErrCode).Int("status", e.StatusCode)
}

func cannotResolve(code string, status int, sentence string, cause error) error {
	return &resolveError{RespError: bridgev2.RespError{ErrCode: code, Err: sentence, StatusCode: status}, cause: cause}
}

// ResolveIdentifier implements bridgev2.IdentifierResolvingNetworkAPI. What ends in @ and the service's domain is a JID; anything else with an @ is an e-mail address and
// is looked up. With createChat the person is asked to become a contact, unless they are one; the room is made at once.
//
// A JID works without a connection, the request is then sent later; an e-mail address that was never looked up does not.
func (cl *Client) ResolveIdentifier(ctx context.Context, identifier string, createChat bool) (*bridgev2.ResolveIdentifierResponse, error) {
	found, email, err := cl.people.find(ctx, identifier)
	if err != nil {
		return nil, err
	}
	return cl.people.resolved(ctx, found, email, createChat)
}

// CreateChatWithGhost implements bridgev2.GhostDMCreatingNetworkAPI: a ghost that is invited to a direct chat is somebody to be asked.
func (cl *Client) CreateChatWithGhost(ctx context.Context, ghost *bridgev2.Ghost) (*bridgev2.CreateChatResponse, error) {
	address, err := jid.Parse(string(ghost.ID))
	if err == nil {
		var answer *bridgev2.ResolveIdentifierResponse
		if answer, err = cl.people.resolved(ctx, address, "", true); err == nil {
			return answer.Chat, nil
		}
	}
	var told *resolveError
	if errors.As(err, &told) {
		cl.tellUser(ctx, told.Err) // what the framework says in the room gives no reason
	}
	return nil, err
}

// find turns what somebody typed into a JID, and the e-mail address if it was one.
func (p *people) find(ctx context.Context, text string) (found jid.JID, email string, err error) {
	profile := p.cl.c.service.Profile()
	address, err := profile.Directory.Parse(text)
	switch {
	case errors.Is(err, xmppside.ErrBadJID) && !profile.FindsByEmail():
		return jid.JID{}, "", cannotResolve("M_INVALID_PARAM", http.StatusBadRequest,
			"“"+clip(text, 100)+"” is not an address. Please give it like somebody@"+p.cl.c.Config.Domain+", and check it for typing errors.", err)
	case errors.Is(err, xmppside.ErrBadJID):
		return jid.JID{}, "", cannotResolve("M_INVALID_PARAM", http.StatusBadRequest,
			"“"+clip(text, 100)+"” is not a "+service+" address. Please check it for typing errors, or use the person's e-mail address.", err)
	case err != nil:
		return jid.JID{}, "", cannotResolve("M_INVALID_PARAM", http.StatusBadRequest,
			"“"+clip(text, 100)+"” is not an e-mail address that "+service+" can look up. Please give the e-mail address of the person's Microsoft account, such as mary@contoso.com, or a "+service+" address ending in @"+p.cl.c.Config.Domain+".", err)
	case address.Email == "":
		return address.JID, "", nil
	}
	email = address.Email
	contact, known, err := p.cl.c.db.Contact.ByEmail(ctx, p.cl.id(), email)
	if err != nil {
		return jid.JID{}, "", err
	}
	if known {
		if found, err = jid.Parse(contact.JIDAsSent); err == nil {
			return found, email, nil
		}
	}
	found, err = p.lookUp(ctx, email)
	return found, email, err
}

// lookUp asks the service whose e-mail address it is.
func (p *people) lookUp(ctx context.Context, email string) (jid.JID, error) {
	session := p.cl.session()
	if session == nil {
		return jid.JID{}, cannotResolve("COM.MATRIX-MESSENGER.NOT_CONNECTED", http.StatusServiceUnavailable,
			"There is no connection to "+service+" at the moment, so the e-mail address cannot be looked up. Please try again when the command `status` says that you are connected.", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := p.cl.c.service.Profile().Directory.LookUp(ctx, session, email)
	switch {
	case err == nil:
		return found, nil
	case errors.Is(err, xmppside.ErrNobody):
		return jid.JID{}, cannotResolve("M_NOT_FOUND", http.StatusNotFound,
			service+" knows nobody with the e-mail address "+email+". Please check it for typing errors, or ask the person for the address of their Microsoft account.", err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return jid.JID{}, cannotResolve("COM.MATRIX-MESSENGER.TIMEOUT", http.StatusGatewayTimeout,
			service+" did not answer the search for "+email+" in time. Please try again in a few minutes.", err)
	}
	return jid.JID{}, cannotResolve("COM.MATRIX-MESSENGER.LOOKUP_FAILED", http.StatusBadGateway,
		service+" could not search for "+email+" just now. Please try again in a few minutes.", err)
}

// resolved answers who somebody is, and asks them if a chat is wanted.
func (p *people) resolved(ctx context.Context, found jid.JID, email string, createChat bool) (*bridgev2.ResolveIdentifierResponse, error) {
	bare := bareID(found)
	if bare == p.cl.id() {
		return nil, cannotResolve("M_INVALID_PARAM", http.StatusBadRequest, "That is your own account. Please give the address of somebody else.", nil)
	}
	contact, known, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), bare)
	if err != nil {
		return nil, err
	}
	if !known {
		contact.JID, contact.JIDAsSent = bare, found.Bare().String()
	}
	if email != "" {
		contact.Email = email
	}
	if createChat {
		contact, _, err = p.cl.c.db.Contact.Update(ctx, p.cl.id(), bare, func(c *database.Contact) {
			if !known {
				c.JIDAsSent = found.Bare().String()
			}
			if email != "" {
				c.Email = email
			}
		})
		if err == nil {
			err = p.ask(ctx, contact)
		}
		if err != nil {
			return nil, err
		}
	}
	answer, err := p.identify(ctx, contact)
	if err != nil || !createChat {
		return answer, err
	}
	if answer.Ghost, err = p.cl.c.br.GetGhostByID(ctx, networkid.UserID(bare)); err != nil {
		return nil, err
	}
	answer.Chat = &bridgev2.CreateChatResponse{PortalKey: portalKey(p.cl.login.ID, bare), PortalInfo: p.cl.chatInfo(bare)}
	return answer, nil
}

// ask notes a request to a person, unless there is nothing to ask, and puts the sentence about it into the chat. The worker sends the request.
func (p *people) ask(ctx context.Context, contact database.Contact) error {
	who, name := contact.JID, privateName(contact)
	room, err := p.roomOf(ctx, who)
	if err != nil {
		return err
	}
	if isContact(contact) {
		if room != "" {
			return nil // the framework says that the chat exists
		}
		p.awaitRoom(who)
		return p.note(ctx, who, named(noticeAlreadyContact, name))
	}
	if room == "" {
		p.awaitRoom(who)
	}
	if accepted, err := p.decide(ctx, who, true); err != nil {
		return err
	} else if accepted {
		return p.note(ctx, who, named(noticeAcceptedByAsk, name))
	}
	_, fresh, err := p.cl.c.db.Request.Open(ctx, database.Request{
		LoginID: p.cl.id(), JID: who, Direction: database.RequestOut, JIDAsSent: contact.JIDAsSent,
	})
	if err != nil {
		return err
	}
	sentence := noticeAskedOnline
	if p.cl.session() == nil {
		sentence = noticeAskedOffline
	}
	if fresh || room == "" {
		err = p.note(ctx, who, named(sentence, name))
	}
	p.kick()
	return err
}

// awaitRoom makes the chat's messages and notices wait until the framework, which is about to make the room, has done so.
func (p *people) awaitRoom(who string) {
	p.cl.inbound.holdChat(who)
	p.cl.c.spawn(func(ctx context.Context) {
		defer p.cl.inbound.releaseChat(who)
		portal, err := p.cl.c.br.GetPortalByKey(ctx, portalKey(p.cl.login.ID, who))
		if err != nil {
			p.cl.log.Err(err).Msg("A chat cannot be read")
			return
		}
		if err = p.cl.c.roomMade(ctx, portal, roomWait); err != nil {
			p.cl.log.Debug().Err(err).Msg("A room that was asked for was not made")
			return
		}
		// The framework announces a room before it has stored it, and what is not stored is not there for anybody else.
		for deadline := time.Now().Add(storedWait); time.Now().Before(deadline); {
			if room, err := p.roomOf(ctx, who); err != nil || room != "" || !sleep(ctx, storedPause) {
				return
			}
		}
	})
}

// roomMade waits until a chat has its room.
func (c *Connector) roomMade(ctx context.Context, portal *bridgev2.Portal, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	c.waits.Lock() // to ask for the channel changes the event, which guards itself as if it did not
	made := portal.RoomCreated.GetChan()
	c.waits.Unlock()
	select {
	case <-made:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	// storedWait bounds how long a room that was announced is waited for, and storedPause is how often it is looked for.
	storedWait  = 30 * time.Second
	storedPause = 20 * time.Millisecond
)
