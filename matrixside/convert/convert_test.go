package convert

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

func names(user id.UserID) string {
	return map[id.UserID]string{"@mary:contoso.com": "Mary", "@messenger_12345=40messenger.live.com:contoso.com": "John Doe"}[user]
}

func formatted(html string) *event.MessageEventContent {
	return &event.MessageEventContent{MsgType: event.MsgText, Body: "the plain body", Format: event.FormatHTML, FormattedBody: html}
}

// Golden files: testdata/NAME.html gives testdata/NAME.txt.
func TestFormattedMessagesReadLikeTypedText(t *testing.T) {
	sources, err := filepath.Glob("testdata/*.html")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, source := range sources {
		t.Run(strings.TrimSuffix(filepath.Base(source), ".html"), func(t *testing.T) {
			html, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(source, ".html") + ".txt"
			got := HTMLToText(formatted(string(html)), Options{Name: names, Emoticons: strings.Contains(source, "emoticon")}).Body + "\n"
			if *update {
				if err = os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestInlineMarkup(t *testing.T) {
	for _, tt := range []struct{ html, want string }{
		{"a  b\n c", "a b c"},
		{"<b>bold</b> and <em>more</em>", "bold and more"},
		{"a<br>b<br/><br>c", "a\nb\n\nc"},
		{"<p>one</p><p>two</p>", "one\n\ntwo"},
		{"<p>one</p>\n<p>two</p>\n", "one\n\ntwo"},
		{"x<sup>2</sup> a<sub>i+1</sub> H<sub>2</sub>O<sup></sup>", "x^2 a_(i+1) H_2O"},
		{"<del>old</del> new <s></s>", "~old~ new"},
		{"<hr>", "---"},
		{"a<hr>b", "a\n\n---\n\nb"},
		{"1 &lt; 2 &amp;&amp; 3 &gt; 2 &#x1F600; &nope;", "1 < 2 && 3 > 2 😀 &nope;"},
		{`<a href="https://example.org">here</a>.`, "here (https://example.org)."},
		{`<a href="https://example.org/">https://example.org</a>`, "https://example.org"},
		{`<a href="https://www.example.org">Example.org</a>`, "Example.org"},
		{`<a href="https://example.org/A">example.org/a</a>`, "example.org/a (https://example.org/A)"},
		{`<a href="mailto:mary@contoso.com">mary@contoso.com</a>`, "mary@contoso.com"},
		{`<a href="https://evil.example">https://bank.example</a>`, "https://bank.example (https://evil.example)"},
		{`<a href="javascript:alert(1)">click</a> <a href="data:x">d</a> <a>none</a>`, "click d none"},
		{`<a href="https://example.org"></a>`, "https://example.org"},
		{`<a href="https://matrix.to/#/@mary:contoso.com">@mary:contoso.com</a>: hi`, "Mary: hi"},
		{`<a href="matrix:u/mary:contoso.com">m</a>`, "Mary"},
		{`<a href="https://matrix.to/#/@else:contoso.com">Someone</a>`, "Someone"},
		{`<a href="https://matrix.to/#/@messenger_12345=40messenger.live.com:contoso.com">x</a>`, "John Doe"},
		{`<a href="https://matrix.to/#/#room:contoso.com">#room:contoso.com</a>`, "#room:contoso.com (https://matrix.to/#/#room:contoso.com)"},
		{`see <span data-mx-spoiler>the end</span>!`, "see [spoiler: the end]!"},
		{`<span data-mx-spoiler="film">he <b>dies</b></span>`, "[spoiler (film): he dies]"},
		{`<span data-mx-maths="x^2">x<sup>2</sup></span>`, "x^2"},
		{`<img data-mx-emoticon src="mxc://a/b" alt=":cat:"> <img src="mxc://a/b" title="t"> <img src="x">`, ":cat: t [picture]"},
		{"run <code>ls  -l</code> now", "run ls  -l now"},
		{"<pre><code class=\"language-go\">if x {\n\n\ty()  \n}\n</code></pre>done", "if x {\n\n\ty()  \n}\n\ndone"},
		{"<blockquote>a<br>b</blockquote>c", "> a\n> b\n\nc"},
		{"<blockquote><p>a</p><p>b</p><blockquote>c</blockquote></blockquote>", "> a\n>\n> b\n>\n> > c"},
		{"<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>d", "- a\n- b\n  - c\n\nd"},
		{"<ol start=\"9\"><li>a</li><li>b<br>c</li><li value=\"20\">d</li><li>e</li></ol>", "9. a\n10. b\n    c\n20. d\n21. e"},
		{"<ul>\n<li>\n<p>a</p>\n<p>b</p>\n</li>\n<li></li>\n</ul>", "- a\n\n  b\n-"},
		{"<ul><li><pre>x\ny</pre></li></ul>", "- x\n  y"},
		{"<table><thead><tr><th>A</th><th>B</th></tr></thead><tbody><tr><td>1</td><td><p>2</p><p>3</p></td></tr><tr><td></td><td>4</td></tr></table>", "A | B\n1 | 2 3\n | 4"},
		{"<h1>Title</h1>text<h3>Sub</h3>more", "Title\n\ntext\n\nSub\n\nmore"},
		{"<details><summary>More</summary>hidden</details>", "More\nhidden"},
		{"<mx-reply><blockquote>old</blockquote></mx-reply>new", "new"},
		{"<font color=\"red\" data-mx-color=\"#f00\">red</font><blink>x</blink><made-up>y</made-up>", "redxy"},
		{"<script>alert(1)</script><style>x</style>text<!-- c -->", "text"},
		{"<div><del><p>gone</p></del></div>", "~gone~"},
		{"unclosed <b>bold <i>both", "unclosed bold both"},
		{"</p></div>stray", "stray"},
		{"a&nbsp;b", "a\u00a0b"},
	} {
		if got := HTMLToText(formatted(tt.html), Options{Name: names}).Body; got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.html, got, tt.want)
		}
	}
}

func TestTheBodyIsUsedWhereThereIsNoUsableFormatting(t *testing.T) {
	reply := (&event.RelatesTo{}).SetReplyTo("$x")
	for name, tt := range map[string]struct {
		content *event.MessageEventContent
		want    string
	}{
		"no formatting":     {&event.MessageEventContent{MsgType: event.MsgText, Body: "a  <b>\n b"}, "a  <b>\n b"},
		"unknown format":    {&event.MessageEventContent{MsgType: event.MsgText, Body: "x", Format: "other", FormattedBody: "<b>y</b>"}, "x"},
		"nothing to show":   {formatted("<script>x</script>"), "the plain body"},
		"too deep":          {formatted(strings.Repeat("<div>", 5000) + "x"), "the plain body"},
		"too long":          {formatted("<p>" + strings.Repeat("x", maxHTML) + "</p>"), "the plain body"},
		"emote":             {&event.MessageEventContent{MsgType: event.MsgEmote, Body: "waves"}, "/me waves"},
		"formatted emote":   {&event.MessageEventContent{MsgType: event.MsgEmote, Body: "w", Format: event.FormatHTML, FormattedBody: "<b>waves</b>"}, "/me waves"},
		"fallback quote":    {&event.MessageEventContent{MsgType: event.MsgText, Body: "> <@mary:x> old\n> more\n\nnew", RelatesTo: reply}, "new"},
		"own quote":         {&event.MessageEventContent{MsgType: event.MsgText, Body: "> <quoted> by hand\nnew"}, "> <quoted> by hand\nnew"},
		"quote while reply": {&event.MessageEventContent{MsgType: event.MsgText, Body: "> not a fallback\nnew", RelatesTo: reply}, "> not a fallback\nnew"},
	} {
		if got := HTMLToText(tt.content, Options{}).Body; got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestSizeAndDepthAreBounded(t *testing.T) {
	deep := strings.Repeat("<blockquote>", 90) + strings.Repeat("<br>line", 2000) + "END"
	for name, html := range map[string]string{
		"deep quotes": deep,
		"many breaks": strings.Repeat("<ul><li>", 90) + strings.Repeat("x<br>", 10000),
		"long":        strings.Repeat("öäü ", 10000),
	} {
		text := HTMLToText(formatted(html), Options{MaxBytes: 10000})
		if len(text.Body) > 10000 || !text.Cut || !strings.HasSuffix(text.Body, "…") || !utf8.ValidString(text.Body) {
			t.Errorf("%s: %d bytes, cut %v, ends in %q", name, len(text.Body), text.Cut, text.Body[len(text.Body)-5:])
		}
	}
	if text := HTMLToText(formatted(strings.Repeat("<div>", 300)+"kept"), Options{}); text.Body != "kept" || text.Cut {
		t.Errorf("text below the depth limit: %+v", text)
	}
}

func TestAMessengerUsersTextComesBackUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.String(), rapid.StringMatching(`/me ?[ \n]?[a-z]*`), rapid.StringMatching(`([<>&"' \n*_]|/me |:\)|https://x\.y/z|> <@a:b>){0,9}`),
		).Draw(t, "text")
		content := TextToMatrix(text, TextOptions{})
		if got := HTMLToText(content, Options{}); got.Body != text || got.Cut {
			t.Fatalf("%q came back as %q", text, got.Body)
		}
		if content.Format != "" || content.FormattedBody != "" {
			t.Fatalf("%q was formatted", text)
		}
	})
	if content := TextToMatrix("/me waves", TextOptions{}); content.MsgType != event.MsgEmote || content.Body != "waves" {
		t.Errorf("/me gave %+v", content)
	}
	if content := TextToMatrix("hi :) (Y).", TextOptions{Emoticons: true}); content.Body != "hi 🙂 👍." {
		t.Errorf("emoticons gave %q", content.Body)
	}
}

func FuzzHTMLToText(f *testing.F) {
	for _, seed := range []string{
		"<p>a</p>", "<ul><li><ol start=-5><li>x", "<table><tr><td><table><tr><td>y", "<pre>\n\n a\n", "<blockquote><blockquote>z",
		`<a href="https://matrix.to/#/@a:b"><img alt=c></a>`, "<mx-reply>", "<sub><sup><del><span data-mx-spoiler=>q", "\x00\xff<p", "<svg><math><a>", "<plaintext>x", "<select><option>",
	} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, html string, emoticons bool) {
		text := HTMLToText(formatted(html), Options{MaxBytes: 4000, Emoticons: emoticons, Name: names})
		if !utf8.ValidString(text.Body) {
			t.Errorf("not UTF-8: %q", text.Body)
		}
		if limit := 4000; len(text.Body) > limit+200 && !emoticons || len(text.Body) > 3*limit {
			t.Errorf("%d bytes", len(text.Body))
		}
		if text.Body == "" {
			t.Error("no text, although the message has a body")
		}
	})
}
