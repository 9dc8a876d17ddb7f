package bridge

import (
	"context"
	"encoding/json"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

// exportCommands are about what is stored of a user.
func (c *Connector) exportCommands() []commands.CommandHandler {
	return []commands.CommandHandler{&commands.FullHandler{
		Func: c.commandExport, Name: "export",
		Help: commands.HelpMeta{Section: helpSection, Description: "Get a file with everything that the bridge has stored about you."},
	}}
}

const (
	exportName = "messenger-bridge-data.json"
	exportType = "application/json"
	// exportTimeout bounds the making and the upload of one.
	exportTimeout = 2 * time.Minute
)

// commandExport sends the user a file with what is stored of them, in their room with the bot and nowhere else: it holds contacts and waiting messages.
func (c *Connector) commandExport(ce *commands.Event) {
	if ce.User.ManagementRoom != ce.RoomID {
		ce.Reply("The file is about all your chats, so you get it only in your own room with the bot. Write `export` there.")
		return
	}
	ctx, cancel := context.WithTimeout(ce.Ctx, exportTimeout)
	defer cancel()
	if alone, err := c.aloneWithBot(ctx, ce.RoomID, ce.User.MXID); err != nil {
		c.log.Err(err).Stringer("room_id", ce.RoomID).Msg("Who is in a room could not be asked")
		ce.Reply("Whether somebody else is in this room could not be found out. Please try again later.")
		return
	} else if !alone {
		ce.Reply("The file is about all your chats, and somebody else is in this room or invited to it, so you do not get it here. Remove them from the room and write `export` again. " +
			"Or leave this room, start a new chat with the bot and write it there.")
		return
	}
	file, err := Export(ctx, c.db, string(c.br.ID), ce.User.MXID.String())
	if err != nil {
		c.log.Err(err).Msg("What is stored of a user could not be read")
		ce.Reply("What is stored about you could not be read. Please try again later, or ask the administrator of the bridge.")
		return
	}
	// In an encrypted room the file is encrypted, too.
	address, encrypted, err := c.br.Bot.UploadMedia(ctx, ce.RoomID, file, exportName, exportType)
	if err != nil {
		c.log.Err(err).Int("size", len(file)).Msg("An export could not be uploaded")
		ce.Reply("The file could not be sent. It may be too large for your server; the administrator of the bridge can make it on the command line.")
		return
	}
	content := &event.MessageEventContent{
		MsgType: event.MsgFile, Body: exportName, FileName: exportName, URL: address, File: encrypted,
		Info: &event.FileInfo{MimeType: exportType, Size: len(file)},
	}
	if _, err = c.br.Bot.SendMessage(ctx, ce.RoomID, event.EventMessage, &event.Content{Parsed: content}, nil); err != nil {
		c.log.Err(err).Msg("An export could not be sent")
		ce.Reply("The file could not be sent. Please try again later.")
	}
}

// aloneWithBot asks the homeserver whether a room has nobody but a user and the bot in it, and nobody else invited: who was there when it became their room may have got company.
func (c *Connector) aloneWithBot(ctx context.Context, room id.RoomID, user id.UserID) (bool, error) {
	bot := c.matrix.AS.BotIntent()
	members, err := bot.Members(ctx, room)
	if err != nil {
		return false, err
	}
	for _, evt := range members.Chunk {
		who := id.UserID(evt.GetStateKey())
		membership, _ := evt.Content.Raw["membership"].(string)
		if who != user && who != bot.UserID && event.Membership(membership).IsInviteOrJoin() {
			return false, nil
		}
	}
	return true, nil
}

// Export is everything that is stored of a Matrix user, as a file for people to read.
func Export(ctx context.Context, db *database.Database, bridgeID, user string) ([]byte, error) {
	export, err := db.ExportUser(ctx, bridgeID, user)
	if err != nil {
		return nil, err
	}
	file, err := json.MarshalIndent(export, "", "  ")
	return append(file, '\n'), err
}
