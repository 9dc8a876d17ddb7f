package vcard

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// MaxPhoto is the largest photo that is kept, in bytes.
const MaxPhoto = 1 << 20

// ErrNoImage says that some data is not a picture of a kind that is passed on.
var ErrNoImage = errors.New("this is no JPEG, PNG, GIF, WebP or BMP picture")

// Photo is a picture: its data, or else the address where a Fetcher gets it.
type Photo struct {
	// Type is the media type found by looking at Data, whatever was declared; empty without Data.
	Type string
	Data []byte
	// URL is the https address of a photo that did not come with the card.
	URL string
}

// Sniff finds the media type of a picture. It returns ErrNoImage for anything else, vector graphics too.
func Sniff(data []byte) (string, error) {
	switch typ := http.DetectContentType(data); typ {
	case "image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp":
		return typ, nil
	}
	return "", ErrNoImage
}

// readPhoto reads the PHOTO element; nil when there is nothing usable in it.
func readPhoto(binval, extval string) *Photo {
	if data, ok := decodeBinval(binval); ok {
		if typ, err := Sniff(data); err == nil {
			return &Photo{Type: typ, Data: data}
		}
	}
	if url := strings.TrimSpace(extval); len(url) <= maxURL && hasHTTPS(url) {
		return &Photo{URL: url}
	}
	return nil
}

func hasHTTPS(url string) bool {
	const scheme = "https://"
	return len(url) > len(scheme) && strings.EqualFold(url[:len(scheme)], scheme)
}

// decodeBinval reads base64 with white space anywhere in it (messenger-protocol.md 9), with or without padding.
func decodeBinval(s string) ([]byte, bool) {
	if base64.RawStdEncoding.DecodedLen(len(s)) > 2*MaxPhoto {
		return nil, false
	}
	s = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\n', '\r':
			return -1
		}
		return r
	}, s)
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(data) == 0 || len(data) > MaxPhoto {
		return nil, false
	}
	return data, true
}
