package tokens

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// Shape says what issued tokens look like (protocol, section 15, "issued tokens").
type Shape int

const (
	// Canonical is canonical padded base64 of 728 characters beginning with
	// "EwA", holding '+' and '/' and ending in "==", as a genuine token did (section 4.5).
	Canonical Shape = iota
	// NotBase64 has characters that are not in base64's alphabet, among them
	// some that XML and URLs have to escape; about 200 characters.
	NotBase64
	// Short is canonical base64 of 24 characters.
	Short
	// Long is canonical base64 of 4096 characters.
	Long
)

var shapeNames = map[Shape]string{
	Canonical: "canonical",
	NotBase64: "not base64",
	Short:     "short",
	Long:      "long",
}

// String gives the name that ParseShape takes.
func (s Shape) String() string {
	if name, ok := shapeNames[s]; ok {
		return name
	}
	return fmt.Sprintf("Shape(%d)", int(s))
}

// ParseShape reads a shape's name as a configuration file has it: "canonical",
// "not base64", "short" or "long". White space, '-' and '_' are the same.
func ParseShape(name string) (Shape, error) {
	plain := strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return r == ' ' || r == '-' || r == '_'
	}), " ")
	for shape, known := range shapeNames {
		if plain == known {
			return shape, nil
		}
	}
	return 0, fmt.Errorf("unknown token shape %q: use canonical, not base64, short or long", name)
}

// notBase64 are legal in an OAuth token (RFC 6749, A.12: any visible ASCII
// character) and unkind to whoever forgets to escape. No '%': the service
// decodes a token with '%' before it compares (section 3.1).
const notBase64 = "-._~!&<>'\"$*;:@?#"

// generate makes a new unguessable token.
func (s Shape) generate() string {
	switch s {
	case NotBase64:
		return "t=" + scatter(randomBytes(180))
	case Short:
		return base64.StdEncoding.EncodeToString(append([]byte{0x13, 0x00, 0x08}, randomBytes(14)...))
	case Long:
		return base64.StdEncoding.EncodeToString(append([]byte{0x13, 0x00, 0x08}, randomBytes(3067)...))
	default:
		// 544 bytes encode to 728 characters with two '='. The bytes 13 00 08
		// become "EwAI"; fb ef be ff ff ff become "++++" and "////", so that both
		// difficult characters are in every token.
		raw := randomBytes(544)
		copy(raw, []byte{0x13, 0x00, 0x08, 0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff})
		return base64.StdEncoding.EncodeToString(raw)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: it ends the program instead
	return b
}

// scatter writes random bytes as letters with one of notBase64 after every eighth.
func scatter(raw []byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var b strings.Builder
	for i, c := range raw {
		b.WriteByte(letters[int(c)%len(letters)])
		if i%8 == 7 {
			b.WriteByte(notBase64[(i/8)%len(notBase64)])
		}
	}
	return b.String()
}
