package convert

import (
	"strings"

	"maunium.net/go/mautrix/event"
)

// emotePrefix starts a text that says what its sender does (XEP-0245 2.1).
const emotePrefix = "/me "

// TextOptions are what TextToMatrix depends on besides the text.
type TextOptions struct {
	// Emoticons writes Messenger codes as Unicode emoticons.
	Emoticons bool
}

// TextToMatrix makes a message from a contact's text. The text is kept as it is, links included: clients make them links
// themselves. "/me waves" becomes an emote. Without Emoticons, HTMLToText gives the very text back.
func TextToMatrix(text string, opts TextOptions) *event.MessageEventContent {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	if rest, ok := strings.CutPrefix(text, emotePrefix); ok && strings.TrimSpace(rest) != "" {
		content.MsgType, content.Body = event.MsgEmote, rest
	}
	if opts.Emoticons {
		content.Body = replaceTokens(content.Body, codeToEmoticon, nil)
	}
	return content
}
