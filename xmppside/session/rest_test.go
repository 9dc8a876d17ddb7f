package session

import (
	"strings"
	"testing"
	"time"
)

// TestAReaderThatRestedReadsOn gives the decoders back after each element; what the header declared has to hold for the next one, and nothing of the stream may be lost with them.
func TestAReaderThatRestedReadsOn(t *testing.T) {
	text := serverHeader + `<message id="1"/><presence id="2"><show>away</show></presence> ` + "\n" + `<iq id="3" type="result"></iq>` + streamErrorXML("conflict", "gone")
	for piece := 1; piece <= len(text); piece += 7 {
		in, _, err := newXMLReader(newConn(&textConn{text: text, piece: piece}, 32<<10, time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		var read []string
		for range 3 {
			in.rest()
			start, err := in.next()
			if err != nil {
				t.Fatalf("in pieces of %d, after %v: %v", piece, read, err)
			}
			read = append(read, start.Name.Space+" "+start.Name.Local+" "+attr(start, "id"))
			if err = in.skip(); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(read, ", "); got != "jabber:client message 1, jabber:client presence 2, jabber:client iq 3" {
			t.Fatalf("in pieces of %d: %s", piece, got)
		}
		in.rest()
		start, err := in.next()
		if err != nil || !isStreamError(start.Name) {
			t.Fatalf("in pieces of %d: %v, %v", piece, start.Name, err)
		}
		if failed := readFailure(in.streamError(start)); failed.Condition != "conflict" {
			t.Fatalf("%+v", failed)
		}
	}
}
