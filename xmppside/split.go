package xmppside

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"matrix-messenger/xmppside/xmltext"
)

// envelope is the room that the rest of a message needs beside its text, whatever its addressee, id and nickname are.
const envelope = 2500

// MaxBody is how long the text of one message may be, in bytes of its XML form, so that the stanza stays below MaxStanza.
func (p Profile) MaxBody() int { return p.MaxStanza - envelope }

// Split cuts a text into the messages that it takes, each at most MaxBody long (messenger-protocol.md 5.5); see split for
// where it cuts. A text without anything but white space takes none.
func (p Profile) Split(text string) []string { return split(text, p.MaxBody()) }

// link finds what a person would call a link; it must not be cut in two.
var link = regexp.MustCompile(`(?i)(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:)[^\s<>"]+`)

// split cuts a text into parts whose XML form has at most limit bytes each (messenger-protocol.md 5.5), and leaves out
// what XML has no way to write. It cuts at the end of a line, else of a word, and leaves out the line break or space at
// the cut; where there is neither it cuts between two characters as people see them, and before a link rather than in
// it. Only a single character or link that is longer than the limit is cut itself. Parts that hold only white space are
// left out; a text without anything else has no parts.
func split(text string, limit int) []string {
	text = xmltext.Clean(text)
	limit = max(limit, 16) // the longest form of one character is 6 bytes
	var parts []string
	for text != "" {
		end, next := len(text), len(text)
		if fit := fitting(text, limit); fit < len(text) {
			end, next = cut(text, fit)
		}
		if part := text[:end]; strings.TrimSpace(part) != "" {
			parts = append(parts, part)
		}
		text = text[next:]
	}
	return parts
}

// escapedLen is how many bytes a rune has in XML text.
func escapedLen(r rune) int {
	switch r {
	case '&', '\r':
		return 5 // &amp; &#xD;
	case '<', '>':
		return 4 // &lt; &gt;
	default:
		return utf8.RuneLen(r)
	}
}

// fitting is how much of the text fits into the limit, in bytes.
func fitting(text string, limit int) int {
	size := 0
	for i, r := range text {
		if size += escapedLen(r); size > limit {
			return i
		}
	}
	return len(text)
}

// cut says where to cut a text of which fit bytes fit: the part ends at end, the rest begins at next.
func cut(text string, fit int) (end, next int) {
	head := text[:fit]
	// What comes directly behind may be the best place of all.
	lines, words := strings.LastIndexByte(head, '\n'), strings.LastIndexFunc(head, unicode.IsSpace)
	switch r, size := utf8.DecodeRuneInString(text[fit:]); {
	case r == '\n':
		return fit, fit + 1
	case lines > fit/2:
		return trimCR(text, lines), lines + 1
	case unicode.IsSpace(r):
		return fit, fit + size
	case words > fit/2, words > 0 && lines <= 0:
		_, size := utf8.DecodeRuneInString(text[words:])
		return words, words + size
	case lines > 0:
		return trimCR(text, lines), lines + 1
	}
	end = graphemes(text, fit)
	if start := linkAt(text, end); start > 0 {
		end = start
	}
	return end, end
}

// trimCR takes the carriage return of a Windows line end off the part.
func trimCR(text string, end int) int {
	if end > 0 && text[end-1] == '\r' {
		return end - 1
	}
	return end
}

// graphemes is the last place up to fit that is between two characters as people see them (Unicode UAX 29: not before an
// accent, nor within an emoji of several parts); fit itself when the first character is longer.
func graphemes(text string, fit int) int {
	end, state, rest := 0, -1, text
	for {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if cluster == "" || end+len(cluster) > fit {
			break
		}
		end += len(cluster)
	}
	if end == 0 {
		return fit
	}
	return end
}

// linkAt is where the link begins that a cut at this place would cut in two, 0 when there is none.
func linkAt(text string, at int) int {
	for _, span := range link.FindAllStringIndex(text[:min(len(text), at+4096)], -1) {
		if span[0] < at && at < span[1] {
			return span[0]
		}
	}
	return 0
}
