package bridge

import (
	"context"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/convert"
)

// messageText is what a contact reads of a Matrix message: plain text, which is all the service has.
func (cl *Client) messageText(ctx context.Context, msg *bridgev2.MatrixMessage) (string, database.OutboxKind, error) {
	text, kind, err := cl.contentText(ctx, msg.Portal, msg.Content)
	if err != nil || msg.ReplyTo == nil {
		return text, kind, err
	}
	author, quoted := cl.quoted(ctx, msg.Portal, msg.ReplyTo)
	return convert.Reply(author, quoted, text), kind, nil
}

// contentText is the text of a message without what it replies to.
func (cl *Client) contentText(ctx context.Context, portal *bridgev2.Portal, content *event.MessageEventContent) (string, database.OutboxKind, error) {
	switch content.MsgType {
	case event.MsgText, event.MsgNotice, event.MsgEmote, "":
		text := convert.HTMLToText(content, cl.textOptions(ctx, portal))
		if text.Cut {
			return "", "", refusal(event.MessageStatusUnsupported, "it is too long for "+service+". Please send it in several messages.", nil)
		}
		return text.Body, database.KindText, nil
	case event.MsgLocation:
		return convert.Location(content), database.KindNote, nil
	case event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgSticker:
		text, err := cl.mediaText(ctx, portal, content)
		return text, database.KindNote, err
	}
	return "", "", refusal(event.MessageStatusUnsupported, service+" cannot show this kind of message. Please write it in words.", nil)
}

// textOptions lets mentions be written as names: the room's names for Matrix users, the contact's name for its ghost.
func (cl *Client) textOptions(ctx context.Context, portal *bridgev2.Portal) convert.Options {
	return convert.Options{
		MaxBytes:  cl.c.longestText(),
		Emoticons: cl.c.Config.Emoticons,
		Name: func(user id.UserID) string {
			if contact, ok := cl.c.br.Matrix.ParseGhostMXID(user); ok {
				return cl.people.name(ctx, string(contact))
			}
			member, err := cl.c.br.Matrix.GetMemberInfo(ctx, portal.MXID, user)
			if err != nil || member == nil {
				return ""
			}
			return member.Displayname
		},
	}
}

// mediaText is a line about a file with a link to it. Without a public address there is no link, and a line without one is of no use to anybody.
func (cl *Client) mediaText(ctx context.Context, portal *bridgev2.Portal, content *event.MessageEventContent) (string, error) {
	media := convert.MediaOf(content, cl.textOptions(ctx, portal))
	link, err := cl.c.matrix.GetPublicMediaAddressForEvent(ctx, content)
	switch {
	case errors.Is(err, bridgev2.ErrPublicMediaDatabaseDisabled):
		return "", refusal(event.MessageStatusUnsupported,
			service+" takes text only, and this bridge can make links to files from unencrypted rooms only. Your administrator can change that (public_media.use_database in the bridge's configuration).", err)
	case errors.Is(err, bridgev2.ErrPublicMediaDisabled), err == nil && link == "":
		return "", refusal(event.MessageStatusUnsupported,
			service+" takes text only, and this bridge has no public address from which your contact could fetch the file. Your administrator can switch that on (public_media and appservice.public_address in the bridge's configuration).", err)
	case err != nil:
		return "", refusal(event.MessageStatusGenericError, "the bridge could not make a link to the file. Please send it again in a minute.", err)
	}
	media.Link = link
	return media.Line(), nil
}

// fetchTimeout bounds how long the homeserver is waited for when a message refers to another one. Without its text the message goes out all the same.
const fetchTimeout = 5 * time.Second

// targetText is the text of a message in a room, empty when it cannot be had.
func (cl *Client) targetText(ctx context.Context, portal *bridgev2.Portal, target *bridgedb.Message) string {
	if target == nil || target.HasFakeMXID() {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	evt, err := cl.c.br.Bot.GetEvent(ctx, portal.MXID, target.MXID)
	if err != nil || evt == nil {
		return ""
	}
	if evt.Content.Parsed == nil {
		if err = evt.Content.ParseRaw(evt.Type); err != nil && !errors.Is(err, event.ErrContentAlreadyParsed) {
			return ""
		}
	}
	content := evt.Content.AsMessage()
	content.RemoveReplyFallback()
	if content.MsgType.IsMedia() {
		media := convert.MediaOf(content, convert.Options{})
		return strings.TrimSpace(media.Name + " " + media.Caption)
	}
	return convert.HTMLToText(content, cl.textOptions(ctx, portal)).Body
}

// quoted is who wrote a message and what, for a reply to it.
func (cl *Client) quoted(ctx context.Context, portal *bridgev2.Portal, target *bridgedb.Message) (author, text string) {
	if string(target.SenderID) != cl.id() {
		author = cl.people.name(ctx, string(target.SenderID))
	}
	return author, cl.targetText(ctx, portal, target)
}

// toMatrix is what a Messenger user's text looks like in a room.
func (cl *Client) toMatrix(text string) *event.MessageEventContent {
	return convert.TextToMatrix(text, convert.TextOptions{Emoticons: cl.c.Config.Emoticons})
}
