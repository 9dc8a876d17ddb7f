package config

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentence is an error as people read it, on one line: with a capital first letter, unless it begins with a name that
// is spelled otherwise, such as a key of the configuration, and with a full stop.
func Sentence(err error) string {
	text := strings.TrimRight(strings.ReplaceAll(err.Error(), "\n", "; "), ". ") + "."
	if word, _, _ := strings.Cut(text, " "); strings.Contains(strings.TrimSuffix(word, "."), ".") {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
