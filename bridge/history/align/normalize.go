package align

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Hash stands for a normalised text; two messages say the same when their hashes are equal, and nothing else about it
// matters here. It is any keyed hash over Normalize(text), such as the one of the chat log.
type Hash string

// Normalize takes out of a text what services and programs on the way are known to change without changing what it
// says: all white space (so line ends of every kind, trimming, doubled blanks, and how the parts of a split text are
// put together again), characters that XML or a terminal would not let through, zero-width ones, and the way accents
// are composed. Two texts that differ in nothing else count as the same.
func Normalize(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return -1
		case r == 0x200B, r == 0x2060, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF:
			return -1
		}
		return r
	}, text)
	return norm.NFC.String(text)
}
