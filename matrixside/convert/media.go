package convert

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
)

// Media describes a file for someone who gets a line of text instead of it.
type Media struct {
	Kind          string // a word: picture, video, audio, voice message, sticker, file
	Name          string
	Type          string // MIME type, empty when unknown
	Size          int64  // bytes, 0 when unknown
	Duration      time.Duration
	Width, Height int // pixels
	Caption       string
	Link          string // where it can be fetched, empty when nowhere
}

// MediaOf reads a Matrix file, sticker or voice message. Link is the caller's to fill in.
func MediaOf(content *event.MessageEventContent, opts Options) Media {
	media := Media{Kind: "file", Name: strings.TrimSpace(content.GetFileName())}
	switch content.GetCapMsgType() {
	case event.MsgImage:
		media.Kind = "picture"
	case event.MsgVideo, event.CapMsgGIF:
		media.Kind = "video"
	case event.MsgAudio:
		media.Kind = "audio"
	case event.CapMsgVoice:
		media.Kind = "voice message"
	case event.CapMsgSticker:
		media.Kind = "sticker"
	}
	if info := content.Info; info != nil {
		media.Type, media.Size = info.MimeType, int64(info.Size)
		media.Duration = time.Duration(info.Duration) * time.Millisecond
		media.Width, media.Height = info.Width, info.Height
	}
	if content.GetCaption() != "" {
		media.Caption = messageText(content, opts, false).Body
	}
	return media
}

// Line is the text: "holiday.jpg (picture, image/jpeg, 640×480, 1.2 MB): link", the caption on a line of its own.
func (m Media) Line() string {
	var details []string
	add := func(text string, known bool) {
		if known {
			details = append(details, text)
		}
	}
	name := shorten(m.Name, 200)
	if name == "" || m.Kind == "voice message" {
		name = m.Kind
	} else {
		add(m.Kind, m.Kind != "")
	}
	add(shorten(m.Type, 100), m.Type != "" && m.Kind != "sticker")
	add(fmt.Sprintf("%d×%d", m.Width, m.Height), m.Width > 0 && m.Height > 0 && m.Kind != "sticker")
	add(length(m.Duration), m.Duration > 0)
	add(byteSize(m.Size), m.Size > 0)
	line := name
	if len(details) > 0 {
		line += " (" + strings.Join(details, ", ") + ")"
	}
	if m.Link != "" {
		line += ": " + m.Link
	}
	if m.Caption != "" {
		line += "\n" + m.Caption
	}
	return line
}

// byteSize writes bytes in units of 1000, as file managers do.
func byteSize(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	value := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		value /= 1000
		if value < 999.5 || unit == "TB" {
			if value < 9.95 {
				return strconv.FormatFloat(value, 'f', 1, 64) + " " + unit
			}
			return strconv.FormatFloat(math.Round(value), 'f', 0, 64) + " " + unit
		}
	}
	return ""
}

// length writes a duration as 0:07 or 1:02:03.
func length(d time.Duration) string {
	seconds := int64(math.Ceil(d.Seconds()))
	if seconds >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// Location writes an m.location message: its description, the coordinates, and a link to a map. A geo URI that cannot be read
// (RFC 5870) leaves the description.
func Location(content *event.MessageEventContent) string {
	description := strings.TrimSpace(content.Body)
	if strings.HasPrefix(description, "geo:") || description == "" {
		description = "Location"
	}
	latitude, longitude, ok := parseGeo(content.GeoURI)
	if !ok {
		return description
	}
	lat, lon := strconv.FormatFloat(latitude, 'f', 5, 64), strconv.FormatFloat(longitude, 'f', 5, 64)
	return fmt.Sprintf("%s (%s, %s): https://www.openstreetmap.org/?mlat=%s&mlon=%s#map=16/%s/%s", description, lat, lon, lat, lon, lat, lon)
}

func parseGeo(uri string) (latitude, longitude float64, ok bool) {
	rest, ok := strings.CutPrefix(uri, "geo:")
	if !ok {
		return 0, 0, false
	}
	rest, _, _ = strings.Cut(rest, ";")
	parts := strings.Split(rest, ",")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, 0, false
	}
	latitude, errLat := strconv.ParseFloat(parts[0], 64)
	longitude, errLon := strconv.ParseFloat(parts[1], 64)
	valid := errLat == nil && errLon == nil && math.Abs(latitude) <= 90 && math.Abs(longitude) <= 180 // NaN fails too
	return latitude, longitude, valid
}
