package convert

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths in runes.
const (
	quoteLength      = 100 // of a quote in a reply
	noteQuoteLength  = 60  // of a quote in a note on a reaction or a redaction
	longCorrection   = 200 // a longer text is corrected by its changed part alone
	correctionBeside = 3   // words shown on either side of the change
)

// shorten brings text to one line of at most n runes, cut after a word where there is one near the end.
func shorten(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)[:n-1]
	for cut := len(runes) - 1; cut > n*2/3; cut-- {
		if runes[cut] == ' ' {
			runes = runes[:cut]
			break
		}
	}
	return strings.TrimRight(string(runes), " ") + cutMark
}

// unquoted drops the lines that themselves quote, so that quotes do not pile up.
func unquoted(text string) string {
	var kept []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, ">") {
			kept = append(kept, line)
		}
	}
	if joined := strings.Join(kept, "\n"); strings.TrimSpace(joined) != "" {
		return joined
	}
	return text
}

// Quote is one line that shows what a reply refers to: "> Mary: the first words…". Without an author only the words are shown.
func Quote(author, text string) string {
	text = shorten(unquoted(text), quoteLength)
	if author = shorten(author, 40); author != "" {
		text = author + ": " + text
	}
	return "> " + text
}

// Reply puts a quote of what is replied to before a text. An emote stays without, because "/me " counts at the start only.
func Reply(author, quoted, text string) string {
	if quoted == "" || strings.HasPrefix(text, emotePrefix) {
		return text
	}
	return Quote(author, quoted) + "\n" + text
}

// Correction tells a contact what a message was changed to: "* new text". Of a long text only the changed part is shown, with some
// words around it. It is empty when nothing that a contact can see was changed.
func Correction(before, after string) string {
	if strings.TrimSpace(before) == strings.TrimSpace(after) {
		return ""
	}
	if before == "" || utf8.RuneCountInString(after) <= longCorrection {
		return "* " + after
	}
	was, words := splitWords(before), splitWords(after)
	start := 0
	for start < len(was) && start < len(words) && was[start] == words[start] {
		start++
	}
	end := 0
	for end < len(was)-start && end < len(words)-start && was[len(was)-1-end] == words[len(words)-1-end] {
		end++
	}
	first, last := max(start-correctionBeside, 0), min(len(words)-end+correctionBeside, len(words))
	shown := strings.TrimSpace(strings.Join(words[first:last], ""))
	if utf8.RuneCountInString(shown)*2 > utf8.RuneCountInString(after) {
		return "* " + after
	}
	if first > 0 {
		shown = cutMark + " " + shown
	}
	if last < len(words) {
		shown += " " + cutMark
	}
	return "* " + shown
}

// splitWords splits text into words, each with the white space that follows it.
func splitWords(text string) []string {
	var words []string
	start, inSpace := 0, false
	for i, r := range text {
		space := unicode.IsSpace(r)
		if inSpace && !space {
			words = append(words, text[start:i])
			start = i
		}
		inSpace = space
	}
	return append(words, text[start:])
}

// quotedNote is “the first words” of a text, or "a message" when the text is not known.
func quotedNote(text string) string {
	if text = shorten(unquoted(text), noteQuoteLength); text == "" {
		return "a message"
	}
	return "“" + text + "”"
}

// ReactionNote tells a contact of a reaction. A key that is a picture's address is shown by its shortcode, if there is one.
func ReactionNote(key, shortcode, target string) string {
	if strings.HasPrefix(key, "mxc://") {
		if key = strings.TrimSpace(shortcode); key == "" {
			key = "a picture"
		}
	}
	return "(reacted " + shorten(key, 40) + " to " + quotedNote(target) + ")"
}

// ReactionRemovedNote tells a contact that a reaction was taken back.
func ReactionRemovedNote(key, shortcode, target string) string {
	note := ReactionNote(key, shortcode, target)
	return "(took back: " + strings.TrimPrefix(note, "(")
}

// RedactionNote tells a contact that the user deleted a message, which the contact's own copy does not follow.
func RedactionNote(target string) string {
	return "(deleted " + quotedNote(target) + ")"
}

// Poll writes a poll as text that can be answered by a message.
func Poll(question string, answers []string) string {
	var out strings.Builder
	out.WriteString("Poll: " + shorten(question, 500))
	for i, answer := range answers {
		if i == 30 {
			out.WriteString("\n" + cutMark)
			break
		}
		out.WriteString("\n" + strconv.Itoa(i+1) + ". " + shorten(answer, 200))
	}
	return out.String()
}
