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
	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
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
		case row.RoomID != "":
		case rooms < limit:
			rooms++
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
	p.cl.tellUser(ctx, strings.ReplaceAll(noticeManyRequests, "%limit", strconv.Itoa(limit)))
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
	if err = p.cl.c.db.Request.SetRoom(ctx, row.LoginID, row.JID, row.Direction, string(room)); err != nil {
		return err
	}
	if !ours {
		return nil
	}
	return p.catchDecision(ctx, room, row)
}

// openRequestRoom finds or makes the room and tells the framework of it.
func (p *people) openRequestRoom(ctx context.Context, row database.Request) (id.RoomID, error) {
	portal, err := p.cl.c.br.GetPortalByKey(ctx, portalKey(p.cl.login.ID, row.JID))
	if err != nil {
		return "", err
	}
	ghost, err := p.asker(ctx, row)
	if err != nil {
		return "", err
	}
	info := p.cl.chatInfo(row.JID)
	info.MessageRequest = new(true)
	// Without a source the framework only notes what kind of room it is; it neither invites nor joins anybody.
	portal.UpdateInfo(ctx, info, nil, nil, time.Time{})
	room, err := p.findRequestRoom(ctx, ghost, row.JID)
	if err == nil && room == "" {
		room, err = p.createRequestRoom(ctx, ghost, row)
	}
	if err != nil {
		return "", err
	}
	if err = p.cl.c.br.Bot.EnsureJoined(ctx, room); err != nil {
		return "", err
	}
	err = portal.UpdateMatrixRoomID(ctx, room, bridgev2.UpdateMatrixRoomIDParams{FailIfMXIDSet: true, ChatInfoSource: p.cl.login})
	if errors.Is(err, bridgev2.ErrRoomAlreadyExists) {
		return p.roomOf(ctx, row.JID)
	}
	return room, err
}

// asker is the ghost of somebody who asks, with the name they gave.
func (p *people) asker(ctx context.Context, row database.Request) (*bridgev2.Ghost, error) {
	contact, _, err := p.cl.c.db.Contact.Get(ctx, p.cl.id(), row.JID)
	if err != nil {
		return nil, err
	}
	contact.JID = row.JID
	if contact.Nick == "" {
		contact.Nick = row.Nick
	}
	ghost, err := p.cl.c.br.GetGhostByID(ctx, userID(row.JID))
	if err != nil {
		return nil, err
	}
	p.refresh.Lock()
	defer p.refresh.Unlock()
	ghost.UpdateInfo(ctx, p.userInfo(contact))
	return ghost, nil
}

// createRequestRoom lets the ghost make the room, with the invite. The request is made once: a repeat of what was done but not answered would be a second room.
func (p *people) createRequestRoom(ctx context.Context, ghost *bridgev2.Ghost, row database.Request) (id.RoomID, error) {
	bot := p.cl.c.br.Bot.GetMXID()
	if err := p.cl.c.matrix.AS.Intent(ghost.Intent.GetMXID()).EnsureRegistered(ctx); err != nil {
		return "", err
	}
	return ghost.Intent.CreateRoom(mautrix.WithMaxRetries(ctx, 0), &mautrix.ReqCreateRoom{
		Visibility: "private",
		Preset:     "private_chat",
		Name:       ghost.Name,
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
func (p *people) findRequestRoom(ctx context.Context, ghost *bridgev2.Ghost, who string) (id.RoomID, error) {
	intent := p.cl.c.matrix.AS.Intent(ghost.Intent.GetMXID())
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

// isRequestRoom tells rooms that were made for a request from those in which there was a chat before.
func (p *people) isRequestRoom(ctx context.Context, room id.RoomID, who string) (bool, error) {
	mark, err := readMark(ctx, p.cl.c.matrix.AS.BotClient(), room)
	return mark == requestMarkContent{Login: p.cl.id(), Contact: who}, err
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

// endMessageRequest tells clients with a special view of requests that the chat is an ordinary one now.
func (p *people) endMessageRequest(ctx context.Context, row database.Request) error {
	portal, err := p.cl.c.br.GetExistingPortalByKey(ctx, portalKey(p.cl.login.ID, row.JID))
	if err != nil || portal == nil || !portal.MessageRequest {
		return err
	}
	direct := bridgedb.RoomTypeDM
	portal.UpdateInfo(ctx, &bridgev2.ChatInfo{Type: &direct, MessageRequest: new(false)}, nil, nil, time.Time{})
	return nil
}

// closeRequestRoom removes the room of a request that came to nothing. A room in which there was a chat before the request stays.
func (p *people) closeRequestRoom(ctx context.Context, row database.Request) error {
	room := id.RoomID(row.RoomID)
	ours, err := p.isRequestRoom(ctx, room, row.JID)
	if err != nil {
		return err
	}
	if ours {
		// First the framework forgets the room, else the next event of the contact would invite the user into it again. While the bot is in the room, its mark can be read, so
		// that a second try after a crash knows the room as ours.
		portal, err := p.cl.c.br.GetPortalByMXID(ctx, room)
		if err == nil && portal != nil {
			err = portal.Delete(ctx)
		}
		if err != nil {
			return err
		}
		if err = p.emptyRoom(ctx, room); errors.Is(err, mautrix.MForbidden) {
			// The framework empties a room that its only user leaves, at the same time. Where it was faster, or an earlier try got so far, the bot is out, and its requests are refused.
			err = p.leaveAsGhost(ctx, room, row.JID)
		}
		if err != nil {
			return err
		}
	}
	return p.cl.c.db.Request.SetRoom(ctx, row.LoginID, row.JID, row.Direction, "")
}

// emptyRoom takes back the invite, and everybody out of the room.
func (p *people) emptyRoom(ctx context.Context, room id.RoomID) error {
	var member event.MemberEventContent
	bot := p.cl.c.matrix.AS.BotClient()
	err := bot.StateEvent(ctx, room, event.StateMember, p.cl.login.UserMXID.String(), &member)
	if err == nil && member.Membership.IsInviteOrJoin() {
		_, err = bot.KickUser(ctx, room, &mautrix.ReqKickUser{UserID: p.cl.login.UserMXID, Reason: "The contact request is settled"})
	}
	if err != nil && !errors.Is(err, mautrix.MNotFound) {
		return err
	}
	return p.cl.c.br.Bot.DeleteRoom(ctx, room, false)
}

// leaveAsGhost takes a contact's ghost out of a room: left there, the room would be found and used for their next request.
func (p *people) leaveAsGhost(ctx context.Context, room id.RoomID, who string) error {
	ghost := p.cl.c.matrix.AS.Intent(p.cl.c.matrix.FormatGhostMXID(userID(who)))
	if _, err := ghost.LeaveRoom(ctx, room); err != nil && passing(err) {
		return err
	}
	return nil // refused: it is out already
}
