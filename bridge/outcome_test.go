package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"github.com/mattn/go-sqlite3"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"

	"matrix-messenger/matrixside/stablesend"
)

func TestWhatKeepsAMessageFromItsRoomIsToldByItsType(t *testing.T) {
	answer := func(status int) error {
		return mautrix.HTTPError{Response: &http.Response{StatusCode: status}, RespError: &mautrix.RespError{ErrCode: "M_UNKNOWN"}}
	}
	unencodable := &json.UnsupportedTypeError{Type: reflect.TypeFor[chan int]()}
	noAddress := &url.Error{Op: "parse", URL: "http://[", Err: errors.New("missing ']' in host")}
	request := func(err error) error {
		return mautrix.HTTPError{Message: "request error", WrappedError: &url.Error{Op: "Put", URL: "http://hs", Err: err}}
	}
	for name, test := range map[string]struct {
		err  error
		want trouble
	}{
		"no homeserver":                   {request(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), troublePasses},
		"a connection that broke":         {request(io.EOF), troublePasses},
		"an answer that broke off":        {mautrix.HTTPError{Response: &http.Response{StatusCode: 200}, WrappedError: io.ErrUnexpectedEOF}, troublePasses},
		"a homeserver in trouble":         {fmt.Errorf("sending: %w", answer(502)), troublePasses},
		"too many requests":               {answer(429), troublePasses},
		"another registration":            {answer(401), troublePasses},
		"a refusal":                       {fmt.Errorf("sending: %w", answer(403)), troubleRefused},
		"nobody who could send it":        {bridgev2.ErrFailedToGetIntent, troubleRefused},
		"a deadline":                      {fmt.Errorf("sending: %w", context.DeadlineExceeded), troublePasses},
		"a full disk":                     {fmt.Errorf("%w: %w", bridgev2.ErrDatabaseError, sqlite3.Error{Code: sqlite3.ErrFull}), troublePasses},
		"a constraint":                    {fmt.Errorf("%w: %w", bridgev2.ErrDatabaseError, sqlite3.Error{Code: sqlite3.ErrConstraint}), troubleUnclear},
		"content that cannot be encoded":  {mautrix.HTTPError{Message: "failed to marshal JSON", WrappedError: unencodable}, troubleUnclear},
		"an address that cannot be built": {mautrix.HTTPError{Message: "failed to create request", WrappedError: noAddress}, troubleUnclear},
		"content that is too large":       {request(fmt.Errorf("%w: too large", stablesend.ErrUnsendable)), troubleUnclear},
		"an answer that makes no sense":   {mautrix.HTTPError{Response: &http.Response{StatusCode: 200}, WrappedError: &json.SyntaxError{}}, troubleUnclear},
		"no encryption":                   {errors.New("room is encrypted, but bridge isn't configured to support encryption"), troubleUnclear},
		"nobody knows":                    {outcome(bridgev2.EventHandlingResultFailed), troubleUnclear},
	} {
		if got := troubleOf(test.err); got != test.want {
			t.Errorf("%s is trouble %d instead of %d", name, got, test.want)
		}
	}
}

func TestWhatPassesIsTriedForEverAndEverythingElseIsNot(t *testing.T) {
	down := io.EOF
	shut := error(mautrix.HTTPError{Response: &http.Response{StatusCode: 403}})
	odd := errors.New("nobody thought of this")
	var tried tries
	hopeless := func(err error, times int) (is bool) {
		for range times {
			tried.count(err)
			is = tried.isHopeless(err)
		}
		return is
	}
	if hopeless(down, 1000) {
		t.Error("what passes is given up")
	}
	if hopeless(shut, maxRefusals-1) || hopeless(odd, maxUnclear-1) {
		t.Error("given up too soon: other failures are no refusals")
	}
	if !hopeless(shut, 1) || !hopeless(odd, 1) {
		t.Error("what does not pass is tried for ever")
	}
}
