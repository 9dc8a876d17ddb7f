package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// The room of a contact request.
//
// The framework's own way lets the bot make the room and invite the user. Here the contact's ghost makes it, so that the invite is from the contact in every client, and in one
// request, so that there is never a room without its invite. The room carries a mark from its first moment. Before one is made, the ghost's rooms are looked through for the
// mark: a room whose making was answered too late, or before a crash, is found and used, and there is never a second one.
//
// Until the user has decided, nothing is queued into the room as an event of the contact: the framework would invite the user again, or let a double puppet join.

// requestMark is the type of the state event that marks the room of a contact request. Its content is requestMarkContent.
var requestMark = event.Type{Type: "com.matrix-messenger.request", Class: event.StateEventType}

type requestMarkContent struct {
	Login   string `json:"login"`
	Contact string `json:"contact"`
}

// inviteAll gives rooms to undecided requests, the oldest first, up to the limit. What is beyond it is told once.
func (p *people) inviteAll(ctx context.Context, pending []database.Request) error {
	limit := p.cl.c.Config.Limits.Requests
	rooms := 0
	for _, row := range pending {
		if row.RoomID != "" {
			rooms++
		}
	}
	var problems []error
	var beyond []database.Request
	for _, row := range pending {
		switch {
		case row.RoomID != "" && row.RoomID != database.RoomBeingMade:
		case row.RoomID == "" && !p.cl.c.filter.allows(portalKey(p.cl.login.ID, row.JID)): // listed by the command `requests` only
		case row.RoomID != "" || rooms < limit:
			if row.RoomID == "" {
				rooms++
			}
			if err := p.invite(ctx, row); err != nil {
				problems = append(problems, err)
			}
		default:
			beyond = append(beyond, row)
		}
	}
	return errors.Join(append(problems, p.tellBeyond(ctx, beyond, limit))...)
}

// tellBeyond sums up requests without room: once, until there are none of them any more.
func (p *people) tellBeyond(ctx context.Context, beyond []database.Request, limit int) error {
	for _, row := range beyond {
		if !row.NotifiedAt.IsZero() {
			return nil
		}
	}
	if len(beyond) == 0 {
		return nil
	}
	first := beyond[0]
	key := "many requests " + first.LoginID + " " + first.JID + " " + strconv.FormatInt(first.CreatedAt.UnixMilli(), 36)
	if err := p.cl.tellSurely(ctx, key, strings.ReplaceAll(noticeManyRequests, "%limit", strconv.Itoa(limit))); err != nil {
		return err
	}
	for _, row := range beyond {
		if err := p.cl.c.db.Request.MarkNotified(ctx, row.LoginID, row.JID, row.Direction); err != nil {
			return err
		}
	}
	return nil
}

// invite gives a request its room. It may be called again at any point of what it does.
func (p *people) invite(ctx context.Context, row database.Request) error {
	room, err := p.roomOf(ctx, row.JID)
	if err != nil {
		return err
	}
	if room == "" {
		// From here on there may be a room that nobody knows the ID of. Whatever becomes of the request, it is looked for.
		if err = p.setRoom(ctx, row, database.RoomBeingMade); err != nil {
			return err
		}
		if room, err = p.openRequestRoom(ctx, row); err != nil {
			return fmt.Errorf("the room of a contact request could not be made: %w", err)
		}
	}
	ours, err := p.isRequestRoom(ctx, room, row.JID)
	if err != nil {
		return err
	}
	if err = p.introduce(ctx, room, row, ours); err != nil && passing(err) {
		return err
	}
	if err = p.setRoom(ctx, row, room); err != nil {
		return err
	}
	if now, err := p.roomOf(ctx, row.JID); err != nil || now != room { // it was let go meanwhile, perhaps before the request had it
		return errors.Join(err, p.roomIsLost(ctx, room))
	}
	if !ours {
		return nil
	}
	return p.catchDecision(ctx, room, row)
}

// roomIsLost has undecided requests shown in another room that were shown in one which is no chat's any more.
func (p *people) roomIsLost(ctx context.Context, room id.RoomID) error {
	count, err := p.cl.c.db.Request.LoseRoom(ctx, p.cl.id(), string(room))
	if count > 0 {
		p.kick()
	}
	return err
}

// setRoom stores a request's room.
func (p *people) setRoom(ctx context.Context, row database.Request, room id.RoomID) error {
	return p.cl.c.db.Request.SetRoom(ctx, row.LoginID, row.JID, row.Direction, string(room))
}

// openRequestRoom finds or makes the room and tells the framework of it.
func (p *people) openRequestRoom(ctx context.Context, row database.Request) (id.RoomID, error) {
	portal, err := p.cl.c.br.GetPortalByKey(ctx, portalKey(p.cl.login.ID, row.JID))
	if err != nil {
		return "", err
	}
	ghost, name, err := p.asker(ctx, row)
	if err != nil {
		return "", err
	}
	info := p.cl.chatInfo(row.JID)
	info.MessageRequest = new(true)
	// Without a source the framework only notes what kind of room it is; it neither invites nor joins anybody.
	portal.UpdateInfo(ctx, info, nil, nil, time.Time{})
	room, err := p.findRequestRoom(ctx, row.JID)
	if err == nil && room == "" {
		room, err = p.createRequestRoom(ctx, ghost, name, row)
	}
	if err != nil {
		return "", err
	}
	return p.adoptRoom(ctx, portal, room)
}

// adoptRoom makes a request's room that of the chat. A chat that has got one in another way keeps that, and nobody stays
// in the request's.
func (p *people) adoptRoom(ctx context.Context, portal *bridgev2.Portal, room id.RoomID) (id.RoomID, error) {
	if err := p.cl.c.br.Bot.EnsureJoined(mautrix.WithMaxRetries(ctx, 0), room); err != nil { // the worker tries again
		return "", err
	}
	err := portal.UpdateMatrixRoomID(ctx, room, bridgev2.UpdateMatrixRoomIDParams{FailIfMXIDSet: true, ChatInfoSource: p.cl.login})
	if !errors.Is(err, bridgev2.ErrRoomAlreadyExists) {
		return room, err
	}
	if err = p.emptyRoom(ctx, room, string(portal.ID)); err != nil {
		return "", err
	}
	return p.roomOf(ctx, string(portal.ID))
}

// asker is the ghost of somebody who asks, with the name they gave. The ghost's own may be changed as soon as others may
// bring it up to date.
func (p *people) asker(ctx context.Context, row database.Request) (ghost *bridgev2.Ghost, name string, err error) {
	ghost, err = p.cl.c.br.GetGhostByID(ctx, userID(row.JID))
	if err != nil {
		return nil, "", err
	}
	p.refresh.Lock()
	defer p.refresh.Unlock()
	contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), row.JID)
	if err != nil {
		return nil, "", err
	}
	contact.JID = row.JID
	if contact.Nick == "" {
		contact.Nick = row.Nick
	}
	ghost.UpdateInfo(ctx, p.userInfo(contact))
	return ghost, ghost.Name, nil
}

// createRequestRoom lets the ghost make the room, with the invite. The request is made once: a repeat of what was done but not answered would be a second room.
func (p *people) createRequestRoom(ctx context.Context, ghost *bridgev2.Ghost, name string, row database.Request) (id.RoomID, error) {
	bot := p.cl.c.br.Bot.GetMXID()
	if err := p.cl.c.asGhost(ghost.Intent.GetMXID()).EnsureRegistered(ctx); err != nil {
		return "", err
	}
	return ghost.Intent.CreateRoom(mautrix.WithMaxRetries(ctx, 0), &mautrix.ReqCreateRoom{
		Visibility: "private",
		Preset:     "private_chat",
		Name:       name,
		IsDirect:   true,
		Invite:     []id.UserID{bot, p.cl.login.UserMXID},
		PowerLevelOverride: &event.PowerLevelsEventContent{
			Users: map[id.UserID]int{bot: 9001, ghost.Intent.GetMXID(): 9001},
			Events: map[string]int{
				event.StateTombstone.Type: 100, event.StateServerACL.Type: 100, event.StateEncryption.Type: 100,
			},
		},
		InitialState: []*event.Event{{
			Type:    requestMark,
			Content: event.Content{Raw: map[string]any{"login": p.cl.id(), "contact": row.JID}},
		}},
	})
}

// findRequestRoom looks for the request's room among the rooms that the ghost is in and the framework does not know.
func (p *people) findRequestRoom(ctx context.Context, who string) (id.RoomID, error) {
	intent := p.ghostIntent(who)
	if err := intent.EnsureRegistered(ctx); err != nil {
		return "", err
	}
	joined, err := intent.JoinedRooms(ctx)
	if err != nil {
		return "", err
	}
	for _, room := range joined.JoinedRooms {
		known, err := p.cl.c.br.DB.Portal.GetByMXID(ctx, room)
		if err != nil {
			return "", err
		}
		if known != nil {
			continue
		}
		mark, err := readMark(ctx, intent.Client, room)
		if err != nil {
			return "", err
		}
		if mark == (requestMarkContent{Login: p.cl.id(), Contact: who}) {
			return room, nil
		}
	}
	return "", nil
}

// isRequestRoom tells rooms that were made for a request from those in which there was a chat before. Either of ours can be the last one in it.
func (p *people) isRequestRoom(ctx context.Context, room id.RoomID, who string) (bool, error) {
	ours := requestMarkContent{Login: p.cl.id(), Contact: who}
	mark, err := readMark(ctx, p.cl.c.matrix.AS.BotClient(), room)
	if err == nil && mark != ours {
		mark, err = readMark(ctx, p.ghostIntent(who).Client, room)
	}
	return mark == ours, err
}

// ghostIntent acts as a contact's ghost.
func (p *people) ghostIntent(who string) *appservice.IntentAPI {
	return p.cl.c.asGhost(p.cl.c.matrix.FormatGhostMXID(userID(who)))
}

// readMark reads a room's mark; without one, or as somebody who is not in the room, it is empty.
func readMark(ctx context.Context, client *mautrix.Client, room id.RoomID) (mark requestMarkContent, err error) {
	var raw json.RawMessage
	err = client.StateEvent(ctx, room, requestMark, "", &raw)
	if errors.Is(err, mautrix.MNotFound) || errors.Is(err, mautrix.MForbidden) {
		return mark, nil
	}
	if err == nil {
		_ = json.Unmarshal(raw, &mark) // anything else is no mark of ours
	}
	return mark, err
}

// introduce says in the room who asks, and what they wrote.
func (p *people) introduce(ctx context.Context, room id.RoomID, row database.Request, ours bool) error {
	sentence := noticeRequest
	if !ours {
		sentence = noticeRequestInChat
	}
	text := named(p.cl.c.inChat(sentence), p.name(ctx, row.JID))
	if row.Text != "" {
		text += "\n\nTheir message: “" + row.Text + "”"
	}
	content := event.MessageEventContent{MsgType: event.MsgNotice, Body: text, Mentions: &event.Mentions{}}
	key := "request-" + row.JID + "-" + strconv.FormatInt(row.CreatedAt.UnixMilli(), 36)
	_, err := p.cl.c.br.Bot.SendMessage(stablesend.WithKey(ctx, key), room, event.EventMessage, &event.Content{Parsed: &content}, nil)
	return err
}

// catchDecision notices that the user joined or left before the framework knew the room, and so nobody was told.
func (p *people) catchDecision(ctx context.Context, room id.RoomID, row database.Request) error {
	var member event.MemberEventContent
	err := p.cl.c.matrix.AS.BotClient().StateEvent(ctx, room, event.StateMember, p.cl.login.UserMXID.String(), &member)
	if err != nil {
		if errors.Is(err, mautrix.MNotFound) {
			return nil
		}
		return err
	}
	switch member.Membership {
	case event.MembershipJoin, event.MembershipLeave:
		_, err = p.decide(ctx, row.JID, member.Membership == event.MembershipJoin)
	}
	return err
}
