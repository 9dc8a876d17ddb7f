package bridge

import (
	"context"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/convert"
)

// messageText is what a contact reads of a Matrix message: plain text, which is all the service has.
func (cl *Client) messageText(ctx context.Context, msg *bridgev2.MatrixMessage) (string, database.OutboxKind, error) {
	switch msg.Content.MsgType {
	case event.MsgText, event.MsgNotice, event.MsgEmote, "":
		text := convert.HTMLToText(msg.Content, cl.textOptions(ctx, msg.Portal))
		if text.Cut {
			return "", "", refusal(event.MessageStatusUnsupported, "it is too long for Messenger. Please send it in several messages.", nil)
		}
		body := text.Body
		if cl.c.Config.Emoticons {
			body = convert.EmoticonsToCodes(body)
		}
		return body, database.KindText, nil
	}
	return "", "", refusal(event.MessageStatusUnsupported, "Messenger cannot show this kind of message. Please write it in words.", nil)
}

// textOptions lets mentions be written as names: the room's names for Matrix users, the contact's name for its ghost.
func (cl *Client) textOptions(ctx context.Context, portal *bridgev2.Portal) convert.Options {
	return convert.Options{
		MaxBytes: longestText,
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

// toMatrix is what a Messenger user's text looks like in a room.
func (cl *Client) toMatrix(_ context.Context, _ *bridgev2.Portal, text string) *event.MessageEventContent {
	return convert.TextToMatrix(text, convert.TextOptions{Emoticons: cl.c.Config.Emoticons})
}
