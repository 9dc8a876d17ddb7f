package session

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Namespaces of RFC 6120.
const (
	nsStream  = "http://etherx.jabber.org/streams"
	nsClient  = "jabber:client"
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession = "urn:ietf:params:xml:ns:xmpp-session"
	nsStreams = "urn:ietf:params:xml:ns:xmpp-streams"
)

const (
	// maxDepth is how deep elements may be nested; real stanzas stay below ten.
	maxDepth = 64
	// maxAttrs is how many attributes one element may have.
	maxAttrs = 64
	// maxHeader is how long the stream header may be: it stays in memory as long as the stream.
	maxHeader = 4 << 10
)

var (
	errRestricted = errors.New("a comment, processing instruction or DTD, which XMPP forbids")
	errDeep       = errors.New("elements are nested too deeply")
	errAttrs      = errors.New("an element has too many attributes")
	errStrayText  = errors.New("text between stanzas")
	errNotStream  = errors.New("the stream does not start with <stream:stream>")
)

// isXMLError tells errors of the XML from those of the connection.
func isXMLError(err error) bool {
	var syntax *xml.SyntaxError
	var unmarshal *xml.UnmarshalError
	var tag *xml.TagPathError
	return errors.As(err, &syntax) || errors.As(err, &unmarshal) || errors.As(err, &tag) ||
		errors.Is(err, errRestricted) || errors.Is(err, errDeep) || errors.Is(err, errAttrs) ||
		errors.Is(err, errStrayText) || errors.Is(err, errNotStream) ||
		strings.HasPrefix(err.Error(), "xml: ")
}

// header is what is used of the service's stream header.
type header struct {
	from string
}

// xmlReader reads one stream after its header, element by element. Raw tokens pass a guard, which forbids what RFC 6120
// 11.1 forbids and counts the depth; a second decoder on top resolves namespaces, starting with those of the header.
type xmlReader struct {
	conn  *Conn
	start xml.StartElement // the header's tag, as written
	text  []byte           // the header, as written
	guard *guard
	dec   *xml.Decoder
}

// newXMLReader reads the service's stream header. A stream error that comes without a header is taken as well
// (messenger-protocol.md 2.4).
func newXMLReader(conn *Conn) (*xmlReader, header, error) {
	r := &xmlReader{conn: conn}
	raw := xml.NewDecoder(conn)
	for first := true; ; first = false {
		token, err := raw.RawToken()
		if err != nil {
			return nil, header{}, readFailure(err)
		}
		switch token := token.(type) {
		case xml.ProcInst:
			if !first || token.Target != "xml" {
				return nil, header{}, readFailure(errRestricted)
			}
			conn.Mark()
		case xml.EndElement:
			// A stray </stream:stream> of the stream before (messenger-protocol.md 2.3).
			return nil, header{}, &Failure{Cause: Lost, Err: io.EOF}
		case xml.StartElement:
			h, err := r.open(raw, token.Copy())
			return r, h, err
		case xml.CharData:
			return nil, header{}, readFailure(errStrayText)
		default:
			return nil, header{}, readFailure(errRestricted)
		}
	}
}

func (r *xmlReader) open(raw *xml.Decoder, start xml.StartElement) (header, error) {
	if len(start.Attr) > maxAttrs || len(r.conn.Raw()) > maxHeader {
		return header{}, readFailure(errLong)
	}
	space := start.Name.Space
	bound := false
	client := false
	for _, a := range start.Attr {
		switch {
		case a.Name.Space == "xmlns" && a.Name.Local == start.Name.Space,
			a.Name.Space == "" && a.Name.Local == "xmlns" && start.Name.Space == "":
			space, bound = a.Value, true
		}
		if a.Name.Space == "" && a.Name.Local == "xmlns" {
			client = true
		}
	}
	if !bound && start.Name.Space == "stream" {
		space = nsStream
	}
	if space == nsStream && start.Name.Local == "error" {
		return header{}, r.headless(raw, start)
	}
	if space != nsStream || start.Name.Local != "stream" {
		return header{}, readFailure(errNotStream)
	}
	r.start = start
	r.text = append([]byte(nil), r.conn.Raw()...)
	if i := strings.LastIndexByte(string(r.text), '<'); i > 0 {
		r.text = r.text[i:]
	}
	if !client {
		// Lenient: without a default namespace, stanzas are taken to be those of RFC 6120.
		r.start.Attr = append(r.start.Attr, xml.Attr{Name: xml.Name{Local: "xmlns"}, Value: nsClient})
		r.text = append([]byte("<"+prefixed(start.Name)+` xmlns="`+nsClient+`"`), r.text[1+len(prefixed(start.Name)):]...)
	}
	r.conn.Mark()
	r.renew(raw)
	var h header
	for _, a := range start.Attr {
		if a.Name.Space == "" && a.Name.Local == "from" {
			h.from = a.Value
		}
	}
	return h, nil
}

// headless reads a stream error in place of a header.
func (r *xmlReader) headless(raw *xml.Decoder, start xml.StartElement) error {
	r.start = xml.StartElement{Name: xml.Name{Space: "stream", Local: "stream"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "xmlns"}, Value: nsClient},
		{Name: xml.Name{Space: "xmlns", Local: "stream"}, Value: nsStream},
	}}
	r.renew(raw)
	r.guard.next = &start
	first, err := r.next()
	if err != nil {
		return err
	}
	return r.streamError(first)
}

func prefixed(name xml.Name) string {
	if name.Space == "" {
		return name.Local
	}
	return name.Space + ":" + name.Local
}

// renew puts new decoders on the connection; the old ones' buffers never shrink. Only at an element's end.
func (r *xmlReader) renew(raw *xml.Decoder) {
	if raw == nil {
		raw = xml.NewDecoder(r.conn)
	}
	start := r.start
	r.guard = &guard{raw: raw, next: &start}
	r.dec = xml.NewTokenDecoder(r.guard)
	_, _ = r.dec.Token() // the header's tag, which is in memory
}

// rest gives the decoders back until the next element, which makes new ones: three kilobytes of a stream that may wait for
// days. Only at an element's end.
func (r *xmlReader) rest() { r.guard, r.dec = nil, nil }

// next gives the start tag of the next element of the stream.
func (r *xmlReader) next() (xml.StartElement, error) {
	if r.dec == nil {
		r.renew(nil)
	}
	token, err := r.dec.Token()
	if err != nil {
		return xml.StartElement{}, readFailure(err)
	}
	switch token := token.(type) {
	case xml.StartElement:
		return token, nil
	case xml.EndElement:
		return xml.StartElement{}, &Failure{Cause: Lost, Err: io.EOF}
	default:
		return xml.StartElement{}, readFailure(errStrayText)
	}
}

// decode reads the rest of an element that next began into a struct, and ends it.
func (r *xmlReader) decode(start xml.StartElement, into any) error {
	if err := r.dec.DecodeElement(into, &start); err != nil {
		return readFailure(err)
	}
	r.end()
	return nil
}

// skip reads the rest of an element that next began, and ends it.
func (r *xmlReader) skip() error {
	if err := r.dec.Skip(); err != nil {
		return readFailure(err)
	}
	r.end()
	return nil
}

// end marks an element's end.
func (r *xmlReader) end() {
	big := r.conn.count > keepTap
	r.conn.Mark()
	if big {
		r.renew(nil)
	}
}

// guard hands on raw tokens, counts the depth, and refuses what XMPP forbids.
type guard struct {
	raw   *xml.Decoder
	next  *xml.StartElement // comes before what raw gives
	depth int
}

// Token implements xml.TokenReader.
func (g *guard) Token() (xml.Token, error) {
	if g.next != nil {
		token := *g.next
		g.next = nil
		g.depth++
		return token, nil
	}
	token, err := g.raw.RawToken()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case xml.StartElement:
		if g.depth++; g.depth > maxDepth {
			return nil, errDeep
		}
		if len(token.Attr) > maxAttrs {
			return nil, errAttrs
		}
	case xml.EndElement:
		g.depth--
	case xml.CharData:
	default:
		return nil, errRestricted
	}
	return token, nil
}

// streamError reads <stream:error/> into a Failure.
func (r *xmlReader) streamError(start xml.StartElement) error {
	var payload struct {
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := r.decode(start, &payload); err != nil {
		return err
	}
	f := &Failure{Cause: StreamError, Condition: "undefined-condition"}
	found := false
	for _, child := range payload.Children {
		switch {
		case child.XMLName.Space != nsStreams:
		case child.XMLName.Local == "text":
			f.Text = words(child.Text)
		case !found:
			found = true
			f.Condition = words(child.XMLName.Local)
			if f.Condition == "see-other-host" {
				f.Cause, f.Target = Redirected, words(strings.TrimSpace(child.Text))
			}
		}
	}
	return f
}

func isStreamError(name xml.Name) bool {
	return name.Local == "error" && (name.Space == nsStream || name.Space == "stream")
}

// decodeRaw reads a stanza that was kept as raw bytes, with the namespaces of the stream's header.
func decodeRaw(header, raw []byte, read func(*xml.Decoder, xml.StartElement) error) error {
	dec := xml.NewDecoder(io.MultiReader(strings.NewReader(string(header)), strings.NewReader(string(raw))))
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("reading the stream header again: %w", err)
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	start, ok := token.(xml.StartElement)
	if !ok {
		return errStrayText
	}
	return read(dec, start)
}
