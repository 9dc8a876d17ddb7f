package bridge

import (
	"context"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/matrixside/convert"
)

// The service knows no edits, reactions, deletions or polls (messenger-protocol.md section 11). Each becomes a short text that the contact can
// understand, or is refused in words, as the configuration says. All go the way of a message: through the outbox, once, in order.
var (
	_ bridgev2.EditHandlingNetworkAPI       = (*Client)(nil)
	_ bridgev2.ReactionHandlingNetworkAPI   = (*Client)(nil)
	_ bridgev2.RedactionHandlingNetworkAPI  = (*Client)(nil)
	_ bridgev2.PollHandlingNetworkAPI       = (*Client)(nil)
	_ bridgev2.DeleteChatHandlingNetworkAPI = (*Client)(nil)
)

// HandleMatrixEdit implements bridgev2.EditHandlingNetworkAPI: the contact gets a correction.
func (cl *Client) HandleMatrixEdit(ctx context.Context, msg *bridgev2.MatrixEdit) error {
	text, _, err := cl.contentText(ctx, msg.Portal, msg.Content)
	if err != nil {
		return err
	}
	correction := convert.Correction(cl.targetText(ctx, msg.Portal, msg.EditTarget), text)
	if correction == "" {
		return nil // nothing changed that a contact could see
	}
	return cl.submit(ctx, submission{portal: msg.Portal, event: msg.Event, msgType: msg.Content.MsgType, text: correction, kind: database.KindNote})
}

// PreHandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (cl *Client) PreHandleMatrixReaction(_ context.Context, msg *bridgev2.MatrixReaction) (bridgev2.MatrixReactionPreResponse, error) {
	if cl.c.Config.Reactions == config.Refuse {
		return bridgev2.MatrixReactionPreResponse{}, refusal(event.MessageStatusUnsupported, service+" has no reactions. Please answer in words.", nil)
	}
	key := msg.Content.RelatesTo.Key
	return bridgev2.MatrixReactionPreResponse{SenderID: cl.GetUserID(), EmojiID: networkid.EmojiID(clip(key, 200)), Emoji: key}, nil
}

// HandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (cl *Client) HandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (*bridgedb.Reaction, error) {
	if err := cl.ensureOwnGhost(ctx); err != nil {
		return nil, errStorage(err)
	}
	note := convert.ReactionNote(msg.PreHandleResp.Emoji, shortcode(msg.Event), cl.targetText(ctx, msg.Portal, msg.TargetMessage))
	// The framework keeps either the emoji or its ID; the note on taking it back needs the emoji.
	return &bridgedb.Reaction{EmojiID: msg.PreHandleResp.EmojiID, Emoji: msg.PreHandleResp.Emoji}, cl.submit(ctx, submission{portal: msg.Portal, event: msg.Event, text: note, kind: database.KindNote})
}

// HandleMatrixReactionRemove implements bridgev2.ReactionHandlingNetworkAPI.
func (cl *Client) HandleMatrixReactionRemove(ctx context.Context, msg *bridgev2.MatrixReactionRemove) error {
	if cl.c.Config.Reactions == config.Refuse {
		return nil // it never got to the contact
	}
	if taken, err := cl.takeBack(ctx, string(msg.TargetReaction.MXID)); taken || err != nil {
		return err
	}
	target, err := cl.c.br.DB.Message.GetPartByID(ctx, msg.Portal.Receiver, msg.TargetReaction.MessageID, msg.TargetReaction.MessagePartID)
	if err != nil {
		return errStorage(err)
	}
	note := convert.ReactionRemovedNote(msg.TargetReaction.Emoji, "", cl.targetText(ctx, msg.Portal, target))
	return cl.submit(ctx, submission{portal: msg.Portal, event: msg.Event, text: note, kind: database.KindNote})
}

// shortcode is the name of a reaction that is a picture.
func shortcode(evt *event.Event) string {
	for _, key := range []string{"shortcode", "com.beeper.reaction.shortcode"} {
		if code, ok := evt.Content.Raw[key].(string); ok {
			return strings.Trim(code, ":")
		}
	}
	return ""
}

// HandleMatrixMessageRemove implements bridgev2.RedactionHandlingNetworkAPI. A message that has not left yet never will; of one that has, the contact
// is told, or the sender that it cannot be taken back.
func (cl *Client) HandleMatrixMessageRemove(ctx context.Context, msg *bridgev2.MatrixMessageRemove) error {
	if taken, err := cl.takeBack(ctx, string(msg.TargetMessage.MXID)); taken || err != nil {
		return err
	}
	if cl.c.Config.Redactions == config.Refuse {
		return refusal(event.MessageStatusUnsupported, service+" cannot take a message back, so your contact still has it. It was removed in Matrix only.", nil)
	}
	if msg.TargetMessage.SenderID != cl.GetUserID() {
		return nil // the contact's own message is the contact's business; it is removed in Matrix
	}
	// The text is gone from the room by now, so the note cannot quote it.
	return cl.submit(ctx, submission{portal: msg.Portal, event: msg.Event, text: convert.RedactionNote(""), kind: database.KindNote})
}

// noticeTakenBack ends what was deleted while it waited. Nobody is told: who deletes a message knows.
const noticeTakenBack = "It was deleted before it was sent."

// takeBack removes an event from the outbox none of whose parts has been written yet. Of one that was removed so before, or given up before it was written, there is
// nothing to tell the contact either.
func (cl *Client) takeBack(ctx context.Context, mxid string) (taken bool, err error) {
	err = cl.c.db.Write(ctx, func(ctx context.Context) error {
		taken = false
		parts, err := cl.c.db.Outbox.ByEvent(ctx, mxid)
		if err != nil || len(parts) == 0 {
			return err
		}
		var waiting []database.OutboxMessage
		for _, part := range parts {
			gone := part.State == database.OutboxFailed || part.State == database.OutboxExpired
			switch {
			case part.State == database.OutboxQueued:
				waiting = append(waiting, part)
			case gone && (part.Attempts == 0 || part.Error == noticeTakenBack):
			default:
				return nil
			}
		}
		taken = true
		if _, err = cl.c.db.Outbox.Fail(ctx, noticeTakenBack, database.Seqs(waiting)...); err != nil {
			return err
		}
		return cl.c.db.Outbox.MarkTold(ctx, database.Seqs(waiting)...)
	})
	if err != nil {
		return false, errStorage(err)
	}
	return taken, nil
}

// HandleMatrixPollStart implements bridgev2.PollHandlingNetworkAPI: the contact gets the question and the choices as text, and can answer in words.
func (cl *Client) HandleMatrixPollStart(ctx context.Context, msg *bridgev2.MatrixPollStart) (*bridgev2.MatrixMessageResponse, error) {
	poll := msg.Content.PollStart
	answers := make([]string, len(poll.Answers))
	for i, answer := range poll.Answers {
		answers[i] = answer.GetText()
	}
	err := cl.submit(ctx, submission{
		portal: msg.Portal, event: msg.Event, text: convert.Poll(poll.Question.GetText(), answers), kind: database.KindNote, replyTo: msg.ReplyTo, save: true,
	})
	if err != nil {
		return nil, err
	}
	return &bridgev2.MatrixMessageResponse{Pending: true}, nil
}

// HandleMatrixPollVote implements bridgev2.PollHandlingNetworkAPI.
func (cl *Client) HandleMatrixPollVote(context.Context, *bridgev2.MatrixPollVote) (*bridgev2.MatrixMessageResponse, error) {
	return nil, refusal(event.MessageStatusUnsupported, service+" has no polls, so your vote is seen in Matrix only. Please answer in words.", nil)
}

// HandleMatrixDeleteChat implements bridgev2.DeleteChatHandlingNetworkAPI: only the room goes. Contacts cannot be removed through this service, and its archive cannot
// be emptied; a new message of the contact makes a new room.
func (cl *Client) HandleMatrixDeleteChat(context.Context, *bridgev2.MatrixDeleteChat) error {
	return nil
}
