package messengerd

import (
	"encoding/xml"
	"strconv"
	"unicode/utf8"
)

// element is one XML element, read or to be written. Text between children is
// kept joined in front of them: XMPP has no mixed content that matters here.
type element struct {
	space, name string
	attrs       []attr
	text        string
	children    []*element
}

type attr struct{ space, name, value string }

// el makes an element with alternating attribute names and values; attributes
// with an empty value are left out.
func el(space, name string, attrs ...string) *element {
	e := &element{space: space, name: name}
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			e.attrs = append(e.attrs, attr{name: attrs[i], value: attrs[i+1]})
		}
	}
	return e
}

// with appends children; nil ones are left out.
func (e *element) with(children ...*element) *element {
	for _, c := range children {
		if c != nil {
			e.children = append(e.children, c)
		}
	}
	return e
}

// withText sets the character data.
func (e *element) withText(text string) *element {
	e.text = text
	return e
}

// attr gives the value of an attribute without namespace, or "".
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.space == "" && a.name == name {
			return a.value
		}
	}
	return ""
}

// set replaces or adds an attribute without namespace; an empty value removes it.
func (e *element) set(name, value string) *element {
	kept := e.attrs[:0:0]
	for _, a := range e.attrs {
		if a.space != "" || a.name != name {
			kept = append(kept, a)
		}
	}
	if value != "" {
		kept = append(kept, attr{name: name, value: value})
	}
	e.attrs = kept
	return e
}

// is compares namespace and name.
func (e *element) is(space, name string) bool {
	return e != nil && e.space == space && e.name == name
}

// child is the first child of that name, or nil.
func (e *element) child(space, name string) *element {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if c.is(space, name) {
			return c
		}
	}
	return nil
}

// childText is the character data of a child, "" without one.
func (e *element) childText(space, name string) string {
	if c := e.child(space, name); c != nil {
		return c.text
	}
	return ""
}

// appendTo writes the element in the style of the gateway (protocol, section
// 2.3): double quotes, " />" for empty elements, the namespace declared wherever
// it differs from the parent's.
func (e *element) appendTo(b []byte, parentSpace string, style xmlStyle) []byte {
	tag := e.name
	b = append(b, '<')
	if e.space == nsStream {
		tag = "stream:" + e.name
		b = append(b, tag...)
		if style != styleHeaderPrefixes {
			b = appendAttr(b, "xmlns:stream", nsStream)
		}
	} else {
		b = append(b, tag...)
		if e.space != parentSpace || (style == styleRepeat && parentSpace == nsClient && e.isStanza()) {
			b = appendAttr(b, "xmlns", e.space)
		}
	}
	for i, a := range e.attrs {
		name := a.name
		switch a.space {
		case "":
		case nsXML:
			name = "xml:" + name
		default:
			prefix := "a" + strconv.Itoa(i)
			b = appendAttr(b, "xmlns:"+prefix, a.space)
			name = prefix + ":" + name
		}
		b = appendAttr(b, name, a.value)
	}
	if e.text == "" && len(e.children) == 0 {
		return append(b, " />"...)
	}
	b = append(b, '>')
	b = appendEscaped(b, e.text)
	inner := e.space
	if e.space == nsStream {
		inner = nsClient // the default namespace of the stream goes on
	}
	for _, c := range e.children {
		b = c.appendTo(b, inner, style)
	}
	b = append(b, "</"...)
	b = append(b, tag...)
	return append(b, '>')
}

func (e *element) isStanza() bool {
	return e.space == nsClient && (e.name == "iq" || e.name == "message" || e.name == "presence")
}

// bytes is the element as it goes over a stream whose default namespace is jabber:client.
func (e *element) bytes(style xmlStyle) []byte {
	return e.appendTo(make([]byte, 0, 256), nsClient, style)
}

type xmlStyle int

const (
	styleSelfContained xmlStyle = iota
	styleHeaderPrefixes
	styleRepeat
)

func styleOf(value string) xmlStyle {
	switch value {
	case "header_prefixes":
		return styleHeaderPrefixes
	case "repeat_namespace":
		return styleRepeat
	default:
		return styleSelfContained
	}
}

func appendAttr(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, `="`...)
	b = appendEscaped(b, value)
	return append(b, '"')
}

// appendEscaped writes character data; what XML 1.0 cannot hold is left out.
// Tab, newline and carriage return become references: line-end handling and
// attribute normalisation would change them.
func appendEscaped(b []byte, text string) []byte {
	done := 0
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
		}
		replacement, plain := escapeOf(r, size)
		if !plain {
			b = append(b, text[done:i]...)
			b = append(b, replacement...)
			done = i + size
		}
		i += size
	}
	return append(b, text[done:]...)
}

// escapeOf says whether a character stands as it is, and what replaces it if not.
func escapeOf(r rune, size int) (replacement string, plain bool) {
	switch {
	case r == '<':
		return "&lt;", false
	case r == '>':
		return "&gt;", false
	case r == '&':
		return "&amp;", false
	case r == '"':
		return "&quot;", false
	case r == '\t':
		return "&#x9;", false
	case r == '\n':
		return "&#xA;", false
	case r == '\r':
		return "&#xD;", false
	case r < 0x20, r == 0xFFFE, r == 0xFFFF, r == utf8.RuneError && size == 1:
		return "", false
	}
	return "", true
}

// fromStart makes an element of a start tag.
func fromStart(start xml.StartElement) *element {
	e := &element{space: start.Name.Space, name: start.Name.Local}
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || (a.Name.Space == "" && a.Name.Local == "xmlns") {
			continue // declarations are made anew on writing
		}
		e.attrs = append(e.attrs, attr{space: a.Name.Space, name: a.Name.Local, value: a.Value})
	}
	return e
}
