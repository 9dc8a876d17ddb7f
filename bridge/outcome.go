package bridge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/stablesend"
)

// outcome turns the framework's answer into an error. A handler that the framework has put into the background may
// still fail, so it counts as failed; its repeat is harmless.
func outcome(res bridgev2.EventHandlingResult) error {
	switch {
	case res.Error != nil:
		return res.Error
	case !res.Success:
		return errors.New("the framework did not handle the event")
	}
	return nil
}

// trouble is what kind of error keeps something from its room.
type trouble int

const (
	// troublePasses: no connection, or a homeserver or database that cannot at the moment. Nothing is lost by waiting.
	troublePasses trouble = iota
	// troubleRefused: the homeserver has answered that it does not take this, or there is nobody who could send it. The same comes
	// with every try.
	troubleRefused
	// troubleUnclear is everything else. It may pass, and it may come with every try: what cannot be encoded or encrypted, or what
	// a constraint of the database forbids. So it is tried for a while.
	troubleUnclear
)

func troubleOf(err error) trouble {
	var answer mautrix.HTTPError
	if errors.As(err, &answer) && answer.Response != nil {
		switch code := answer.Response.StatusCode; {
		case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
			return troublePasses
		case code == http.StatusUnauthorized:
			return troublePasses // the registration is wrong at the moment; the message is not
		case code >= 400:
			return troubleRefused
		}
	}
	switch {
	case errors.Is(err, bridgev2.ErrFailedToGetIntent):
		return troubleRefused
	case isConnection(err), database.IsPassing(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return troublePasses
	}
	return troubleUnclear
}

// isConnection tells errors of the way to another program from those of what was to be sent on it.
func isConnection(err error) bool {
	if errors.Is(err, stablesend.ErrUnsendable) {
		return false
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Op != "parse" // of an address; any other is what http.Client says of a request that came to nothing
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// passing tells errors that are worth another try from refusals. What is unclear counts as passing; who would hold up
// others by waiting for ever asks for troubleOf.
func passing(err error) bool { return troubleOf(err) != troubleRefused }

// maxUnclear is how often something is tried that fails for an unclear reason.
const maxUnclear = 6

// tries is what has come of trying one thing.
type tries struct {
	failed           int // in a row
	refused, unclear int // of them
}

// count notes why a try has failed.
func (t *tries) count(err error) {
	switch troubleOf(err) {
	case troubleRefused:
		t.refused++
	case troubleUnclear:
		t.unclear++
	}
}

// isHopeless tells whether a further try is likely to fail as this one did.
func (t *tries) isHopeless(err error) bool {
	switch troubleOf(err) {
	case troubleRefused:
		return t.refused >= maxRefusals
	case troubleUnclear:
		return t.unclear >= maxUnclear
	}
	return false
}

// isSound tells whether the database takes something and the homeserver answers: then what is unclear is no consequence of
// their trouble.
func (c *Connector) isSound(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(mautrix.WithMaxRetries(ctx, 0), readyPatience)
	defer cancel()
	if err := c.db.Probe(ctx); err != nil {
		return false
	}
	_, err := c.matrix.Bot.Whoami(ctx)
	return err == nil
}
