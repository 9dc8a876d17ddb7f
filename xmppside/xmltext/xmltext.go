// Package xmltext writes text into XML 1.0 (RFC 6120 11, messenger-protocol.md 5.5): escaping, and leaving out what XML
// has no way to write. One character that is not allowed would end the whole stream, so everything that people typed
// goes through here on its way out.
//
// Not here: splitting text that is too long for one stanza; how long that is the service's profile says.
package xmltext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// AppendText appends s as character data. Characters not allowed in XML 1.0 are left out, bytes that are not UTF-8 become
// U+FFFD. Carriage returns are written as references, since a parser would turn them into line feeds.
func AppendText(b []byte, s string) []byte {
	return appendEscaped(b, s, false)
}

// AppendAttr appends a space and the attribute name="value". Line breaks and tabs are written as references, since a
// parser would turn them into spaces. The name is written as it is.
func AppendAttr(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, `="`...)
	b = appendEscaped(b, value, true)
	return append(b, '"')
}

// AppendElement appends <name>text</name>. The name is written as it is.
func AppendElement(b []byte, name, text string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	b = append(b, '>')
	b = AppendText(b, text)
	b = append(b, "</"...)
	b = append(b, name...)
	return append(b, '>')
}

func appendEscaped(b []byte, s string, attr bool) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '&':
				b = append(b, "&amp;"...)
			case c == '<':
				b = append(b, "&lt;"...)
			case c == '>':
				b = append(b, "&gt;"...)
			case c == '"' && attr:
				b = append(b, "&quot;"...)
			case c == '\r':
				b = append(b, "&#xD;"...)
			case c == '\n' && attr:
				b = append(b, "&#xA;"...)
			case c == '\t' && attr:
				b = append(b, "&#x9;"...)
			case Allowed(rune(c)):
				b = append(b, c)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if Allowed(r) {
			b = utf8.AppendRune(b, r) // writes U+FFFD for a broken byte
		}
		i += size
	}
	return b
}

// Allowed says whether XML 1.0 can hold the character (XML 1.0, section 2.2).
func Allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// Clean returns s as AppendText would make a reader see it: without the characters that XML does not allow, with U+FFFD
// for broken bytes.
func Clean(s string) string {
	clean := true
	for _, r := range s {
		// U+FFFD is what range gives for a broken byte too.
		if !Allowed(r) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if Allowed(r) {
			return r
		}
		return -1
	}, s)
}

// Line makes one line for people out of text from outside, for names and states: white space (line breaks too) becomes
// single spaces, control characters and the marks that turn the writing direction of what follows go, and the rest is
// cut to at most limit bytes.
func Line(s string, limit int) string {
	// Cut first, generously: the work must not grow with what a peer sends.
	s = Cut(s, 4*limit)
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0xFEFF:
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(Cut(b.String(), limit), " ")
}

// Cut shortens s to at most limit bytes without splitting a rune.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	// A rune has at most utf8.UTFMax bytes; more continuation bytes than that are broken anyway.
	for end := limit; end >= 0 && end > limit-utf8.UTFMax; end-- {
		if utf8.RuneStart(s[end]) {
			return s[:end]
		}
	}
	return s[:limit]
}
