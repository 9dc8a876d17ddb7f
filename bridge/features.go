package bridge

import (
	"maunium.net/go/mautrix/event"

	"matrix-messenger/bridge/config"
)

// features tells clients what works in a room. It is one value for all rooms, made once; its ID is a hash of its contents, so that it changes exactly when they do.
func (c *Connector) features() *event.RoomFeatures {
	c.featuresOnce.Do(func() {
		c.roomFeatures = roomFeatures(&c.Config, c.longestText())
		c.roomFeatures.ID = "com.matrix-messenger." + c.roomFeatures.GetID()
	})
	return c.roomFeatures
}

// Partial means throughout: the contact gets a text that stands for it.
func roomFeatures(cfg *config.Config, longest int) *event.RoomFeatures {
	features := &event.RoomFeatures{
		MaxTextLength:       longest,
		LocationMessage:     event.CapLevelPartialSupport,
		Poll:                event.CapLevelPartialSupport,
		Thread:              event.CapLevelDropped,
		Reply:               event.CapLevelPartialSupport,
		Edit:                event.CapLevelPartialSupport,
		Delete:              event.CapLevelPartialSupport,
		Reaction:            event.CapLevelPartialSupport,
		TypingNotifications: cfg.Typing != config.TypingOff,
		DeleteChat:          true,
		File:                event.FileFeatureMap{},
		Formatting:          event.FormattingFeatureMap{},
	}
	if cfg.Reactions == config.Refuse {
		features.Reaction = event.CapLevelRejected
	}
	if cfg.Redactions == config.Refuse {
		features.Delete = event.CapLevelRejected
	}
	// Every kind of file gets through as a line with a link, or is refused by us in words: a kind that stands not here would be refused by the framework without any.
	file := &event.FileFeatures{
		MimeTypes: map[string]event.CapabilitySupportLevel{"*/*": event.CapLevelPartialSupport},
		Caption:   event.CapLevelPartialSupport,
	}
	for _, kind := range []event.CapabilityMsgType{
		event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgVoice, event.CapMsgGIF, event.CapMsgSticker,
	} {
		features.File[kind] = file
	}
	for _, format := range []event.FormattingFeature{
		event.FmtBold, event.FmtItalic, event.FmtUnderline, event.FmtStrikethrough, event.FmtInlineCode, event.FmtCodeBlock,
		event.FmtSyntaxHighlighting, event.FmtBlockquote, event.FmtInlineLink, event.FmtUserLink, event.FmtRoomLink, event.FmtUnorderedList,
		event.FmtOrderedList, event.FmtHeaders, event.FmtHorizontalLine, event.FmtTable, event.FmtSpoiler, event.FmtSpoilerReason, event.FmtCustomEmoji,
	} {
		features.Formatting[format] = event.CapLevelPartialSupport
	}
	return features
}
