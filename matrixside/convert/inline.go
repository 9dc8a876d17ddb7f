package convert

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"maunium.net/go/mautrix/id"
)

func lookup(n *html.Node, key string) (string, bool) {
	for _, attr := range n.Attr {
		if attr.Key == key {
			return attr.Val, true
		}
	}
	return "", false
}

func attribute(n *html.Node, key string) string {
	value, _ := lookup(n, key)
	return value
}

// flatText is all text below a node, whatever the nesting, without recursion.
func flatText(n *html.Node, limit int) string {
	var out strings.Builder
	for at := n; at != nil && out.Len() < limit; at = next(at, n) {
		if at.Type == html.TextNode {
			out.WriteString(at.Data)
		}
	}
	return out.String()
}

// hasContent tells whether anything below a node shows.
func hasContent(n *html.Node) bool {
	for at := n; at != nil; at = next(at, n) {
		if at.Type == html.TextNode && strings.Trim(at.Data, htmlSpace) != "" || at.Type == html.ElementNode && at.Data == "img" {
			return true
		}
	}
	return false
}

// next is the node after at in document order, below root.
func next(at, root *html.Node) *html.Node {
	if at.FirstChild != nil {
		return at.FirstChild
	}
	for at != root {
		if at.NextSibling != nil {
			return at.NextSibling
		}
		at = at.Parent
	}
	return nil
}

// link writes a link as its text and its target; a mention as a name.
func (r *renderer) link(n *html.Node, depth int) {
	target := strings.TrimSpace(attribute(n, "href"))
	if uri, err := id.ParseMatrixURIOrMatrixToURL(target); err == nil && uri.UserID() != "" {
		r.mention(n, depth, uri.UserID())
		return
	}
	shown := strings.Join(strings.Fields(flatText(n, r.limit)), " ")
	switch {
	case !linkable(target) || hasContent(n) && sameTarget(shown, target):
		r.children(n, depth)
	case !hasContent(n):
		r.verbatimWord(target)
	default:
		r.children(n, depth)
		r.space = !r.atLineStart()
		r.begin()
		r.emit("(")
		r.verbatimWord(target)
		r.emit(")")
	}
}

// verbatimWord writes text that neither wraps nor is changed by emoticons.
func (r *renderer) verbatimWord(text string) {
	r.begin()
	start := r.out.Len()
	r.emit(text)
	r.verbatim = append(r.verbatim, span{start, r.out.Len()})
}

// mention writes a person's display name, or what the sender's client called them.
func (r *renderer) mention(n *html.Node, depth int, user id.UserID) {
	name := ""
	if r.opts.Name != nil {
		name = strings.Join(strings.Fields(r.opts.Name(user)), " ")
	}
	switch {
	case name != "":
		r.text(name)
	case hasContent(n):
		r.children(n, depth)
	default:
		r.text(user.String())
	}
}

// linkable tells whether a target means something to a reader elsewhere; scripts and data do not.
func linkable(target string) bool {
	parsed, err := url.Parse(target)
	if err != nil || strings.ContainsAny(target, htmlSpace) {
		return false
	}
	switch strings.ToLower(parsed.Scheme) {
	case "http", "https", "ftp", "mailto", "magnet", "xmpp", "tel", "geo", "matrix", "sip", "irc", "ircs":
		return true
	}
	return false
}

// sameTarget tells whether a link's text already shows where it leads.
func sameTarget(shown, target string) bool {
	shown, target = plainTarget(shown), plainTarget(target)
	return shown == target || !strings.Contains(target, "/") && strings.EqualFold(shown, target)
}

// plainTarget drops what people leave out when they write an address.
func plainTarget(target string) string {
	if unescaped, err := url.PathUnescape(target); err == nil {
		target = unescaped
	}
	for _, prefix := range []string{"https://", "http://", "mailto:", "tel:", "xmpp:"} {
		if rest, ok := strings.CutPrefix(target, prefix); ok {
			target = rest
			break
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(target, "www."), "/")
}

// picture writes an image's alternative text; a custom emoji has its shortcode there.
func (r *renderer) picture(n *html.Node) {
	for _, key := range []string{"alt", "title"} {
		if text := strings.TrimSpace(attribute(n, key)); text != "" {
			r.text(text)
			return
		}
	}
	r.text("[picture]")
}
