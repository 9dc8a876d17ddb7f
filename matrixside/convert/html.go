package convert

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const (
	// DefaultMaxBytes bounds the text of one message; an event is at most 65,536 bytes.
	DefaultMaxBytes = 64 << 10
	// maxHTML is the longest formatted body that is parsed; above it the plain body is used.
	maxHTML = 128 << 10
	// maxDepth is the deepest nesting that is laid out (the specification asks for at most 100); below it only text is kept.
	maxDepth = 100
	// maxPrefixes is how many quotes and lists are shown inside each other.
	maxPrefixes = 12
	// cutMark ends a text that was cut.
	cutMark = "…"
)

// Options are what a conversion depends on besides the message.
type Options struct {
	// Name gives a person's display name, empty when unknown. Nil: mentions keep the text the sender's client gave them.
	Name func(id.UserID) string
	// MaxBytes bounds the result. 0: DefaultMaxBytes.
	MaxBytes int
	// Emoticons writes Unicode emoticons as Messenger codes.
	Emoticons bool
}

// Text is a message as plain text.
type Text struct {
	Body string
	// Cut tells that the text was longer than allowed and ends in "…".
	Cut bool
}

// HTMLToText gives a message's text (for a file: its caption, see MediaOf) as a contact reads it. An emote starts with "/me ".
func HTMLToText(content *event.MessageEventContent, opts Options) Text {
	return messageText(content, opts, content.MsgType == event.MsgEmote)
}

func messageText(content *event.MessageEventContent, opts Options, emote bool) Text {
	limit := opts.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	prefix := ""
	if emote {
		prefix = emotePrefix
	}
	limit = max(limit-len(prefix)-len(cutMark), 1)
	body, cut, ok := "", false, false
	if content.Format == event.FormatHTML && content.FormattedBody != "" && len(content.FormattedBody) <= maxHTML {
		body, cut, ok = renderHTML(content.FormattedBody, opts, limit)
		ok = ok && (body != "" || content.RelatesTo.GetReplyTo() != "" && plainBody(content) == "")
	}
	if !ok {
		body, cut = clip(strings.ToValidUTF8(plainBody(content), "\uFFFD"), limit)
		if opts.Emoticons {
			body = replaceTokens(body, emoticonToCode, nil)
		}
	}
	if cut {
		body += cutMark
	}
	return Text{Body: prefix + body, Cut: cut}
}

// plainBody is the body without the quote that older clients put before replies.
func plainBody(content *event.MessageEventContent) string {
	if content.RelatesTo.GetReplyTo() != "" {
		return event.TrimReplyFallbackText(content.Body)
	}
	return content.Body
}

// clip cuts text to at most limit bytes, at a rune's start.
func clip(text string, limit int) (string, bool) {
	if len(text) <= limit {
		return text, false
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit], true
}

// renderHTML lays HTML out; ok is false when it cannot be parsed.
func renderHTML(source string, opts Options, limit int) (text string, cut, ok bool) {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(strings.ToValidUTF8(source, "\uFFFD")), body)
	if err != nil {
		return "", false, false
	}
	r := renderer{writer: writer{limit: limit}, opts: opts}
	for _, node := range nodes {
		r.node(node, 0)
	}
	text = r.out.String()
	if opts.Emoticons {
		text = replaceTokens(text, emoticonToCode, r.verbatim)
	}
	return text, r.full, true
}

// renderer walks the parsed HTML.
type renderer struct {
	writer
	opts      Options
	preformat int // inside how many pre elements
	lists     int // inside how many lists
}

func (r *renderer) children(n *html.Node, depth int) {
	for child := n.FirstChild; child != nil && !r.full; child = child.NextSibling {
		r.node(child, depth+1)
	}
}

// node writes a node. Elements not named here are transparent.
func (r *renderer) node(n *html.Node, depth int) {
	switch {
	case r.full:
	case n.Type == html.TextNode && r.preformat > 0:
		r.raw(n.Data)
	case n.Type == html.TextNode:
		r.text(n.Data)
	case n.Type != html.ElementNode:
	case depth > maxDepth:
		r.text(flatText(n, r.limit))
	default:
		r.element(n, depth)
	}
}

func (r *renderer) element(n *html.Node, depth int) {
	switch n.Data {
	case "mx-reply", "script", "style", "title", "template", "head", "iframe", "object", "noscript":
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "dl", "figure":
		r.block(n, depth, 2)
	case "div":
		if latex := attribute(n, "data-mx-maths"); latex != "" {
			r.separate(2)
			r.raw(latex)
			r.separate(2)
			return
		}
		r.block(n, depth, 1)
	case "section", "article", "header", "footer", "main", "nav", "aside", "address", "details", "summary", "dt", "figcaption", "fieldset", "form", "center":
		r.block(n, depth, 1)
	case "dd":
		r.separate(1)
		r.prefixed(n, depth, "  ", "  ")
		r.separate(1)
	case "br":
		r.lineBreak()
	case "hr":
		r.separate(2)
		r.text("---")
		r.separate(2)
	case "blockquote":
		r.separate(2)
		r.prefixed(n, depth, "> ", "> ")
		r.separate(2)
	case "ul", "ol", "menu", "dir":
		r.list(n, depth)
	case "li": // outside a list
		r.separate(1)
		r.item(n, depth, "- ")
	case "pre":
		r.preBlock(n, depth)
	case "code", "kbd", "samp", "tt":
		r.preformat++
		r.children(n, depth)
		r.preformat--
	case "table":
		r.table(n, depth)
	case "a":
		r.link(n, depth)
	case "img":
		r.picture(n)
	default:
		r.inline(n, depth)
	}
}

// inline writes the elements that mark text without breaking the line.
func (r *renderer) inline(n *html.Node, depth int) {
	switch n.Data {
	case "del", "s", "strike":
		r.wrapped(n, depth, "~", "~")
	case "sup":
		r.script(n, depth, "^")
	case "sub":
		r.script(n, depth, "_")
	case "q":
		r.wrapped(n, depth, "“", "”")
	case "span":
		reason, spoiler := lookup(n, "data-mx-spoiler")
		switch latex := attribute(n, "data-mx-maths"); {
		case latex != "":
			r.raw(latex)
		case spoiler && strings.TrimSpace(reason) != "":
			r.wrapped(n, depth, "[spoiler ("+strings.Join(strings.Fields(reason), " ")+"): ", "]")
		case spoiler:
			r.wrapped(n, depth, "[spoiler: ", "]")
		default:
			r.children(n, depth)
		}
	default:
		r.children(n, depth)
	}
}

// block writes an element with n newlines before and after.
func (r *renderer) block(n *html.Node, depth, newlines int) {
	r.separate(newlines)
	r.children(n, depth)
	r.separate(newlines)
}

// wrapped writes text between two marks; an element without text writes nothing.
func (r *renderer) wrapped(n *html.Node, depth int, before, after string) {
	if !hasContent(n) {
		r.children(n, depth)
		return
	}
	r.begin()
	r.emit(before)
	r.glue = true
	r.children(n, depth)
	r.newlines, r.space, r.glue = 0, false, false
	r.emit(after)
}

// script writes a superscript or subscript: x^2, x^(a b).
func (r *renderer) script(n *html.Node, depth int, mark string) {
	text := strings.Join(strings.Fields(flatText(n, r.limit)), " ")
	switch {
	case text == "":
		return
	case strings.ContainsAny(text, " +-*/=,()") && text != "-" && text != "+":
		r.wrapped(n, depth, mark+"(", ")")
	default:
		r.wrapped(n, depth, mark, "")
	}
}
