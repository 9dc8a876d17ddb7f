package convert

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// prefixed writes an element with a prefix before its lines.
func (r *renderer) prefixed(n *html.Node, depth int, first, rest string) {
	if len(r.frames) >= maxPrefixes {
		r.children(n, depth)
		return
	}
	r.push(first, rest)
	r.children(n, depth)
	r.pop()
}

// list writes ul and ol. A list inside another follows its line directly.
func (r *renderer) list(n *html.Node, depth int) {
	newlines := 2
	if r.lists > 0 {
		newlines = 1
	}
	r.separate(newlines)
	number := 1
	if start, err := strconv.Atoi(attribute(n, "start")); err == nil {
		number = start
	}
	r.lists++
	for child := n.FirstChild; child != nil && !r.full; child = child.NextSibling {
		if child.Type != html.ElementNode || child.Data != "li" {
			r.node(child, depth+1) // a nested list or stray text where only li belongs
			continue
		}
		marker := "- "
		if n.Data == "ol" {
			if value, err := strconv.Atoi(attribute(child, "value")); err == nil {
				number = value
			}
			marker = strconv.Itoa(number) + ". "
			number++
		}
		r.separate(1)
		r.item(child, depth+1, marker)
	}
	r.lists--
	r.separate(newlines)
}

// item writes one list item; an empty one shows its marker alone.
func (r *renderer) item(n *html.Node, depth int, marker string) {
	if len(r.frames) >= maxPrefixes {
		r.children(n, depth)
		r.newlines = 1
		return
	}
	f, newlines := r.push(marker, strings.Repeat(" ", len(marker))), r.newlines
	r.children(n, depth)
	if !f.used {
		f.first = strings.TrimRight(marker, " ")
		r.newlines = newlines
		r.begin()
	}
	r.pop()
	r.newlines = 1
}

// preBlock writes preformatted text as a block of its own.
func (r *renderer) preBlock(n *html.Node, depth int) {
	r.separate(2)
	r.preformat++
	before := r.out.Len()
	r.children(n, depth)
	r.preformat--
	if r.out.Len() > before {
		r.newlines = 0 // the newline before </pre> ends the last line
	}
	r.separate(2)
}

// maxCell bounds one table cell, in bytes.
const maxCell = 2000

// table writes one row a line. Cells are laid out on one line each.
func (r *renderer) table(n *html.Node, depth int) {
	r.separate(2)
	r.rows(n, depth)
	r.separate(2)
}

func (r *renderer) rows(n *html.Node, depth int) {
	for child := n.FirstChild; child != nil && !r.full; child = child.NextSibling {
		switch {
		case child.Type != html.ElementNode:
		case child.Data == "tr":
			r.separate(1)
			r.row(child, depth+1)
			r.separate(1)
		case child.Data == "thead", child.Data == "tbody", child.Data == "tfoot":
			r.rows(child, depth+1)
		default: // caption, colgroup
			r.block(child, depth+1, 1)
		}
	}
}

func (r *renderer) row(n *html.Node, depth int) {
	wrote := false
	for cell := n.FirstChild; cell != nil && !r.full; cell = cell.NextSibling {
		if cell.Type != html.ElementNode {
			continue
		}
		if wrote {
			r.begin()
			r.emit(" |")
			r.space = true
		}
		wrote = true
		inner := renderer{writer: writer{limit: maxCell}, opts: r.opts}
		inner.children(cell, depth+1)
		text := strings.Join(strings.Fields(inner.out.String()), " ")
		if inner.full {
			text += cutMark
		}
		if text == "" && !r.atLineStart() {
			continue
		}
		r.begin()
		start := r.out.Len()
		r.emit(text)
		if len(inner.verbatim) > 0 {
			r.verbatim = append(r.verbatim, span{start, r.out.Len()})
		}
	}
}
