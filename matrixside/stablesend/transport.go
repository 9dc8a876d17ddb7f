package stablesend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"maunium.net/go/mautrix/appservice"
)

// ErrUnsendable is in the errors of sends that fail before they have left, because of what they are.
var ErrUnsendable = errors.New("the event cannot be sent")

// maxBody bounds how much of a send is read to add the key; events are at most 64 KiB.
const maxBody = 1 << 20

// connectionsKept is how many idle connections to the homeserver are kept: Go's two are too few for many chats at once.
const connectionsKept = 64

// Transport gives keyed sends their transaction IDs and their mark. It is safe for concurrent use.
type Transport struct {
	Base http.RoundTripper // does the work
}

var _ http.RoundTripper = (*Transport)(nil)

// Install puts a [Transport] around the HTTP client that the appservice's bot, ghosts and double puppets share. It is called
// once, before anything is sent.
func Install(as *appservice.AppService) {
	base := as.HTTPClient.Transport
	if base == nil { // not set for a homeserver behind a Unix socket
		base = http.DefaultTransport
		if shared, ok := base.(*http.Transport); ok {
			own := shared.Clone()
			own.MaxIdleConnsPerHost = connectionsKept
			base = own
		}
	}
	as.HTTPClient.Transport = &Transport{Base: base}
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	attempt, keyed := req.Context().Value(contextKey{}).(*attempt)
	if !keyed || req.Method != http.MethodPut {
		return t.Base.RoundTrip(req)
	}
	target, isSend := parseSend(req.URL)
	if !isSend {
		return t.Base.RoundTrip(req)
	}
	renamed := req.Clone(req.Context())
	txn := attempt.transactionID(target.what(req.URL.Query().Get("user_id")), req.URL.EscapedPath())
	if err := target.rename(renamed.URL, txn); err != nil {
		return nil, err
	}
	if target.action == "send" {
		if err := addMark(renamed, Mark(attempt.base)); err != nil {
			return nil, err
		}
	}
	return t.Base.RoundTrip(renamed)
}

// send is the address of a send: …/rooms/{room}/send/{type}/{txn} or …/rooms/{room}/redact/{event}/{txn}.
type send struct {
	segments []string // of the escaped path
	action   string
}

func parseSend(address *url.URL) (target send, ok bool) {
	segments := strings.Split(address.EscapedPath(), "/")
	at := len(segments) - 5
	if at < 0 || segments[at] != "rooms" || segments[at+2] != "send" && segments[at+2] != "redact" {
		return send{}, false
	}
	return send{segments: segments, action: segments[at+2]}, true
}

// what tells sends of an attempt apart. The homeserver does not: for it, all users of an appservice share their IDs.
func (s send) what(user string) string {
	at := len(s.segments) - 5
	return strings.Join([]string{user, s.segments[at+1], s.action, s.segments[at+3]}, " ")
}

func (s send) rename(address *url.URL, txn string) error {
	path := strings.Join(append(s.segments[:len(s.segments)-1:len(s.segments)-1], txn), "/")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return fmt.Errorf("%w: its address cannot be read: %w", ErrUnsendable, err)
	}
	address.Path, address.RawPath = plain, path
	return nil
}

// addMark adds the key property to the JSON object in the body; anything else is left as it is.
func addMark(req *http.Request, mark string) error {
	if req.Body == nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	_ = req.Body.Close()
	if err != nil {
		return fmt.Errorf("%w: its content cannot be read: %w", ErrUnsendable, err)
	} else if len(body) > maxBody {
		return fmt.Errorf("%w: its content is larger than %d bytes", ErrUnsendable, maxBody)
	}
	body = marked(body, mark)
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.ContentLength = int64(len(body))
	return nil
}

func marked(body []byte, mark string) []byte {
	content := bytes.TrimSpace(body)
	if len(content) < 2 || content[0] != '{' || !json.Valid(content) {
		return body
	}
	property := fmt.Sprintf(`{"%s":"%s"`, KeyProperty, mark)
	rest := bytes.TrimSpace(content[1:])
	if rest[0] != '}' {
		property += ","
	}
	return append([]byte(property), rest...)
}
