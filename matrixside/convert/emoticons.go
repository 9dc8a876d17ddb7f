package convert

import (
	"strings"
	"unicode/utf8"
)

// emoticons pairs Messenger's codes with Unicode. Each code and each emoticon occurs once, so that the table works both
// ways without loss; other spellings of a code, such as :-) or (y), stay as they are typed.
var emoticons = []struct{ code, emoticon string }{
	{":)", "🙂"},
	{":D", "😃"},
	{";)", "😉"},
	{":O", "😮"},
	{":P", "😛"},
	{"(H)", "😎"},
	{":@", "😡"},
	{":$", "😳"},
	{":S", "😖"},
	{":(", "🙁"},
	{":'(", "😢"},
	{":|", "😐"},
	{"(A)", "😇"},
	{"8o|", "😬"},
	{"8-|", "🤓"},
	{"+o(", "🤢"},
	{"<:o)", "🥳"},
	{"|-)", "😴"},
	{"*-)", "🤔"},
	{":-#", "🤐"},
	{":-*", "🤫"},
	{"^o)", "🤨"},
	{"8-)", "🙄"},
	{"(6)", "😈"},
	{"(L)", "❤️"},
	{"(U)", "💔"},
	{"(M)", "💬"},
	{"(@)", "🐱"},
	{"(&)", "🐶"},
	{"(sn)", "🐌"},
	{"(bah)", "🐑"},
	{"(S)", "🌙"},
	{"(*)", "⭐"},
	{"(#)", "🌞"},
	{"(R)", "🌈"},
	{"({)", "🤗"},
	{"(})", "🫂"},
	{"(K)", "💋"},
	{"(F)", "🌹"},
	{"(W)", "🥀"},
	{"(O)", "🕐"},
	{"(G)", "🎁"},
	{"(^)", "🎂"},
	{"(P)", "📷"},
	{"(I)", "💡"},
	{"(C)", "☕"},
	{"(T)", "📞"},
	{"(mp)", "📱"},
	{"(au)", "🚗"},
	{"(ap)", "✈️"},
	{"(co)", "💻"},
	{"(mo)", "💰"},
	{"(~)", "🎬"},
	{"(8)", "🎵"},
	{"(pi)", "🍕"},
	{"(so)", "⚽"},
	{"(E)", "📧"},
	{"(Y)", "👍"},
	{"(N)", "👎"},
	{"(B)", "🍺"},
	{"(D)", "🍸"},
	{"(X)", "👩"},
	{"(Z)", "👨"},
	{"(pl)", "🍽️"},
	{"(ip)", "🏝️"},
	{"(um)", "☂️"},
	{"(st)", "🌧️"},
	{"(li)", "🌩️"},
	{"(h5)", "🙏"},
	{"(yn)", "🤞"},
	{"(tu)", "🐢"},
	{"(xx)", "🎮"},
	{"(ci)", "🚬"},
	{"(%)", "⛓️"},
	{"(?)", "🔞"},
	{"(||)", "🥣"},
	{"(brb)", "🔙"},
	{":[", "🦇"},
}

var codeToEmoticon, emoticonToCode = emoticonTables()

func emoticonTables() (toEmoticon, toCode map[string]string) {
	toEmoticon, toCode = make(map[string]string, len(emoticons)), make(map[string]string, len(emoticons))
	for _, pair := range emoticons {
		toEmoticon[pair.code], toCode[pair.emoticon] = pair.emoticon, pair.code
	}
	return toEmoticon, toCode
}

// sentenceEnd may follow an emoticon directly. No code and no emoticon of the table ends in one of these.
const sentenceEnd = ".,!"

// replaceTokens replaces words of the table that have white space or the text's ends around them, except where a skipped
// range overlaps. Both directions use this one rule; it looks only at what a replacement does not change, so they are each
// other's reverse, and an emoticon inside a word or an address is never touched.
func replaceTokens(text string, table map[string]string, skip []span) string {
	var out strings.Builder
	last, at := 0, 0
	for at < len(text) {
		end := at + strings.IndexFunc(text[at:], isSpace)
		if end < at {
			end = len(text)
		}
		word := strings.TrimRight(text[at:end], sentenceEnd)
		if with, ok := table[word]; ok && !overlaps(skip, at, at+len(word)) {
			out.WriteString(text[last:at])
			out.WriteString(with)
			last = at + len(word)
		}
		_, size := utf8.DecodeRuneInString(text[end:])
		at = end + size
	}
	if last == 0 {
		return text
	}
	out.WriteString(text[last:])
	return out.String()
}

func isSpace(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\u00a0' }

func overlaps(spans []span, start, end int) bool {
	for _, s := range spans {
		if s.start < end && start < s.end {
			return true
		}
	}
	return false
}
