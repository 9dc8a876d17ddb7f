package messengerd

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"unicode/utf8"
)

// Bounds for what a client may send.
const (
	stanzaBound  = 1 << 20  // bytes of one top-level element
	headerBound  = 16 << 10 // bytes of a stream header
	depthBound   = 32       // nested elements
	decoderReset = 16 << 10 // a decoder that has read more keeps its buffer, so it is replaced
)

// streamFault is a reason to end a stream with an error.
type streamFault struct {
	condition, text string
}

func (f *streamFault) Error() string {
	if f.text == "" {
		return f.condition
	}
	return f.condition + ": " + f.text
}

// errStreamEnd is the client's </stream:stream>.
var errStreamEnd = errors.New("the client closed the stream")

// countedConn gives the XML decoder single bytes, so that it never reads ahead,
// and counts them, so that one element cannot grow without bound.
type countedConn struct {
	br    *bufio.Reader
	count int
	limit int
	over  bool
}

func newCountedConn(c net.Conn) *countedConn {
	return &countedConn{br: bufio.NewReaderSize(c, 1024)}
}

func (c *countedConn) ReadByte() (byte, error) {
	if c.count >= c.limit {
		c.over = true
		return 0, io.ErrUnexpectedEOF
	}
	b, err := c.br.ReadByte()
	if err == nil {
		c.count++
	}
	return b, err
}

// skipSpace passes over white space between elements up to the next '<':
// clients send it to keep the connection open, and the decoder would collect it.
func (c *countedConn) skipSpace() error {
	for {
		b, err := c.br.ReadByte()
		if err != nil {
			return err
		}
		switch b {
		case ' ', '\t', '\n', '\r':
		case '<':
			return c.br.UnreadByte()
		default:
			// Said at once: the decoder would collect text until the next tag.
			return &streamFault{condition: "bad-format"}
		}
	}
}

// Read exists because xml.NewDecoder asks for an io.Reader; it uses ReadByte.
func (c *countedConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := c.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// streamReader reads one XML stream: its header, then its top-level elements.
type streamReader struct {
	in     *countedConn
	dec    *xml.Decoder
	prime  string // the client's own start tag, to begin a fresh decoder in the same namespaces
	limit  int    // switch longest_stanza, 0 for none
	header *element
}

func newStreamReader(in *countedConn) *streamReader {
	return &streamReader{in: in}
}

// readHeader reads up to and including <stream:stream ...>. Each stream begins
// with a new decoder; nothing of the old one is used.
func (r *streamReader) readHeader() (*element, error) {
	r.in.count, r.in.limit, r.in.over = 0, headerBound, false
	r.dec = xml.NewDecoder(r.in)
	if err := r.in.skipSpace(); err != nil {
		return nil, err
	}
	for {
		token, err := r.dec.RawToken()
		if err != nil {
			return nil, r.fault(err)
		}
		switch t := token.(type) {
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, &streamFault{condition: "restricted-xml"}
			}
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, &streamFault{condition: "bad-format"}
			}
		case xml.StartElement:
			return r.begin(t)
		default:
			return nil, &streamFault{condition: "restricted-xml"}
		}
	}
}

// begin takes the raw start tag of the stream. It is written down again in full
// and given to a new decoder, which then knows the client's prefixes; the same
// text primes later decoders.
func (r *streamReader) begin(raw xml.StartElement) (*element, error) {
	var b strings.Builder
	b.WriteString("<" + rawName(raw.Name))
	for _, a := range raw.Attr {
		b.Write(appendAttr(nil, rawName(a.Name), a.Value))
	}
	b.WriteString(">")
	r.prime = b.String()
	start, err := r.restart()
	if err != nil {
		return nil, err
	}
	r.header = fromStart(start)
	if start.Name.Local != "stream" || start.Name.Space != nsStream {
		return nil, &streamFault{condition: "invalid-namespace"}
	}
	for _, a := range start.Attr {
		if a.Name.Space == "" && a.Name.Local == "xmlns" && a.Value != nsClient {
			return nil, &streamFault{condition: "invalid-namespace"}
		}
	}
	return r.header, nil
}

// restart makes a new decoder that stands behind the stream's start tag.
func (r *streamReader) restart() (xml.StartElement, error) {
	r.dec = xml.NewDecoder(&primed{prime: r.prime, then: r.in})
	token, err := r.dec.Token()
	if err != nil {
		return xml.StartElement{}, &streamFault{condition: "not-well-formed"}
	}
	start, ok := token.(xml.StartElement)
	if !ok {
		return xml.StartElement{}, &streamFault{condition: "not-well-formed"}
	}
	return start.Copy(), nil
}

// next reads one top-level element. White space between elements is skipped and
// does not count as one.
func (r *streamReader) next() (*element, error) {
	if r.in.count > decoderReset {
		if _, err := r.restart(); err != nil {
			return nil, err
		}
	}
	for {
		if err := r.in.skipSpace(); err != nil {
			return nil, err
		}
		r.in.count, r.in.over = 0, false
		r.in.limit = stanzaBound
		if r.limit > 0 {
			r.in.limit = min(r.limit, stanzaBound)
		}
		token, err := r.dec.Token()
		if err != nil {
			return nil, r.fault(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			return r.finish(fromStart(t), 1)
		case xml.EndElement:
			return nil, errStreamEnd
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, &streamFault{condition: "bad-format"}
			}
		default:
			return nil, &streamFault{condition: "restricted-xml"}
		}
	}
}

// finish reads the rest of an element whose start tag is known.
func (r *streamReader) finish(e *element, depth int) (*element, error) {
	if depth > depthBound {
		return nil, &streamFault{condition: "policy-violation", text: "too many nested elements"}
	}
	var text strings.Builder
	for {
		token, err := r.dec.Token()
		if err != nil {
			return nil, r.fault(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			c, err := r.finish(fromStart(t), depth+1)
			if err != nil {
				return nil, err
			}
			e.children = append(e.children, c)
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			e.text = text.String()
			if len(e.children) > 0 && strings.TrimSpace(e.text) == "" {
				e.text = ""
			}
			return e, nil
		default:
			return nil, &streamFault{condition: "restricted-xml"}
		}
	}
}

// fault turns a decoder's error into the stream error that answers it; errors
// of the connection stay what they are.
func (r *streamReader) fault(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case r.in.over && r.limit > 0 && r.in.limit == r.limit:
		// The text of the one genuine error on record (protocol, section 5.5).
		return &streamFault{condition: "not-well-formed", text: fmt.Sprintf("XmlException due to: Unexpected end of file has occurred. Line 1, position %d.", r.limit)}
	case r.in.over:
		return &streamFault{condition: "policy-violation", text: "stanza too long"}
	case errors.As(err, &syntax) && strings.HasPrefix(syntax.Msg, "unexpected EOF"):
		return io.EOF
	case errors.As(err, &syntax):
		return &streamFault{condition: "not-well-formed"}
	}
	var netErr net.Error
	if errors.Is(err, io.EOF) || errors.As(err, &netErr) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if strings.Contains(err.Error(), "encoding") {
		return &streamFault{condition: "unsupported-encoding"}
	}
	return err
}

// primed gives a decoder some text first and the connection after it.
type primed struct {
	prime string
	at    int
	then  *countedConn
}

func (p *primed) ReadByte() (byte, error) {
	if p.at < len(p.prime) {
		p.at++
		return p.prime[p.at-1], nil
	}
	p.prime, p.at = "", 0
	return p.then.ReadByte()
}

func (p *primed) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c, err := p.ReadByte()
	if err != nil {
		return 0, err
	}
	b[0] = c
	return 1, nil
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// validText says whether text can stand in XML 1.0.
func validText(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if (r < 0x20 && r != '\t' && r != '\n' && r != '\r') || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}
