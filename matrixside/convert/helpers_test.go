package convert

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"maunium.net/go/mautrix/event"
	"pgregory.net/rapid"
)

func TestTheEmoticonTableIsReversible(t *testing.T) {
	codes, pictures := map[string]bool{}, map[string]bool{}
	for _, pair := range emoticons {
		if codes[pair.code] || pictures[pair.emoticon] {
			t.Errorf("%s and %s: not one to one", pair.code, pair.emoticon)
		}
		if _, ok := codeToEmoticon[pair.emoticon]; ok || strings.TrimRight(pair.code, sentenceEnd) != pair.code || strings.ContainsFunc(pair.code+pair.emoticon, isSpace) {
			t.Errorf("%s cannot be told apart", pair.code)
		}
		codes[pair.code], pictures[pair.emoticon] = true, true
	}
	var words []string
	for _, pair := range emoticons {
		words = append(words, pair.code)
	}
	word := rapid.OneOf(rapid.SampledFrom(words), rapid.SampledFrom([]string{"a", "https://x/:)", ".", "!", ",,", ":-)", "(y)"}), rapid.StringMatching(`[a-z:()DPYLN.!;']{0,6}`))
	space := rapid.SampledFrom([]string{" ", "\n", "\t ", "", "\u00a0"})
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		for range rapid.IntRange(0, 8).Draw(t, "words") {
			text.WriteString(word.Draw(t, "word") + space.Draw(t, "space"))
		}
		unicode := replaceTokens(text.String(), codeToEmoticon, nil)
		if back := replaceTokens(unicode, emoticonToCode, nil); back != text.String() {
			t.Fatalf("%q became %q and came back as %q", text.String(), unicode, back)
		}
		if again := replaceTokens(unicode, codeToEmoticon, nil); again != unicode {
			t.Fatalf("%q is not stable: %q", unicode, again)
		}
	})
}

func TestEmoticonsAreReplacedAsWordsOnly(t *testing.T) {
	for text, want := range map[string]string{
		":)":                       "🙂",
		"hi :) there":              "hi 🙂 there",
		"hi :)!":                   "hi 🙂!",
		":'( (L)\n(Y)":             "😢 ❤️\n👍",
		"https://x.y/(Y)":          "https://x.y/(Y)",
		"f(N)":                     "f(N)",
		"hi:)":                     "hi:)",
		":-)":                      ":-)",
		"(a) :D.":                  "(a) 😃.",
		"list: (A), (B)! and 10:S": "list: 😇, 🍺! and 10:S",
	} {
		if got := TextToMatrix(text, TextOptions{Emoticons: true}).Body; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	html := formatted("🙂 <code>🙂</code> <a href=\"https://x.y/🙂\">👍</a> <table><tr><td>👍</td><td><code>👍</code></td></tr></table>")
	if got := HTMLToText(html, Options{Emoticons: true}).Body; got != ":) 🙂 (Y) (https://x.y/🙂)\n\n(Y) | 👍" {
		t.Errorf("got %q", got)
	}
}

func TestAReplyQuotesShortly(t *testing.T) {
	for _, tt := range []struct{ author, quoted, text, want string }{
		{"Mary", "hello", "yes", "> Mary: hello\nyes"},
		{"", "hello", "yes", "> hello\nyes"},
		{"Mary", "> John: older\nmine", "yes", "> Mary: mine\nyes"},
		{"Mary", "two\nlines", "yes", "> Mary: two lines\nyes"},
		{"Mary", "", "yes", "yes"},
		{"Mary", "hello", "/me nods", "/me nods"},
	} {
		if got := Reply(tt.author, tt.quoted, tt.text); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	long := Quote("Mary", strings.Repeat("many words ", 100))
	if n := utf8.RuneCountInString(long); n > quoteLength+len("> Mary: ") || !strings.HasSuffix(long, "words…") && !strings.HasSuffix(long, "many…") {
		t.Errorf("%d runes: %q", n, long)
	}
}

func TestACorrectionShowsWhatWasChanged(t *testing.T) {
	long := "The quick brown fox jumps over the lazy dog. " + strings.Repeat("And so it goes on and on for a long time. ", 8)
	for name, tt := range map[string]struct{ before, after, want string }{
		"short":          {"helo", "hello", "* hello"},
		"unknown before": {"", long, "* " + long},
		"unchanged":      {"same", "same ", ""},
		"one word":       {long, strings.Replace(long, "lazy", "sleepy", 1), "* … jumps over the sleepy dog. And so …"},
		"at the start":   {long, "A" + strings.TrimPrefix(long, "The"), "* A quick brown fox …"},
		"at the end":     {long, long + "End.", "* … a long time. End."},
		"word removed":   {long, strings.Replace(long, "lazy ", "", 1), "* … jumps over the dog. And so …"},
		"all different":  {strings.ToUpper(long), long, "* " + long},
	} {
		if got := Correction(tt.before, tt.after); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestNotesOnReactionsAndRedactions(t *testing.T) {
	for got, want := range map[string]string{
		ReactionNote("👍", "", "see you at eight"):              "(reacted 👍 to “see you at eight”)",
		ReactionNote("mxc://a/b", ":cat:", ""):                 "(reacted :cat: to a message)",
		ReactionNote("mxc://a/b", "", "x"):                     "(reacted a picture to “x”)",
		ReactionRemovedNote("👍", "", "x"):                      "(took back: reacted 👍 to “x”)",
		RedactionNote("oops"):                                  "(deleted “oops”)",
		Poll("Where?", []string{"Here", "There\nor"}):          "Poll: Where?\n1. Here\n2. There or",
		ReactionNote(strings.Repeat("x", 90), "", "y")[:20]:    "(reacted xxxxxxxxxxx",
		RedactionNote(strings.Repeat("word ", 50))[:len("(d")]: "(d",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFilesBecomeALineThatSaysWhatTheyAre(t *testing.T) {
	picture := &event.MessageEventContent{
		MsgType: event.MsgImage, Body: "From the beach", FileName: "holiday.jpg", Format: event.FormatHTML, FormattedBody: "From the <b>beach</b>",
		Info: &event.FileInfo{MimeType: "image/jpeg", Width: 640, Height: 480, Size: 1_234_567},
	}
	media := MediaOf(picture, Options{})
	media.Link = "https://bridge.example/x"
	if got, want := media.Line(), "holiday.jpg (picture, image/jpeg, 640×480, 1.2 MB): https://bridge.example/x\nFrom the beach"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, tt := range []struct {
		media Media
		want  string
	}{
		{Media{Kind: "voice message", Name: "Voice message.ogg", Duration: 7100 * time.Millisecond, Size: 999}, "voice message (0:08, 999 bytes)"},
		{Media{Kind: "video", Name: "v.mp4", Duration: 3723 * time.Second, Size: 999_600}, "v.mp4 (video, 1:02:03, 1.0 MB)"},
		{Media{Kind: "sticker", Name: "a cat", Type: "image/png", Link: "https://x"}, "a cat (sticker): https://x"},
		{Media{Kind: "file"}, "file"},
		{Media{Kind: "file", Name: "big.iso", Size: 4_700_000_000}, "big.iso (file, 4.7 GB)"},
		{Media{Kind: "file", Name: "b", Size: 25_000}, "b (file, 25 kB)"},
	} {
		if got := tt.media.Line(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	voice := &event.MessageEventContent{MsgType: event.MsgAudio, Body: "v.ogg", MSC3245Voice: &event.MSC3245Voice{}}
	if media := MediaOf(voice, Options{}); media.Kind != "voice message" || media.Caption != "" {
		t.Errorf("voice: %+v", media)
	}
}

func TestLocationsHaveAMapLink(t *testing.T) {
	link := "https://www.openstreetmap.org/?mlat=52.52000&mlon=-13.40500#map=16/52.52000/-13.40500"
	for _, tt := range []struct{ body, geo, want string }{
		{"Home", "geo:52.52,-13.405;u=35", "Home (52.52000, -13.40500): " + link},
		{"geo:52.52,-13.405", "geo:52.52,-13.405,10", "Location (52.52000, -13.40500): " + link},
		{"Home", "geo:99,0", "Home"},
		{"Home", "geo:NaN,0", "Home"},
		{"Home", "geo:1", "Home"},
		{"", "http://x", "Location"},
	} {
		if got := Location(&event.MessageEventContent{Body: tt.body, GeoURI: tt.geo}); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.geo, got, tt.want)
		}
	}
}
