package bridge

import (
	"errors"
	"net/http"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
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

// passing tells errors that are worth another try from refusals, which come again with every try: the homeserver has
// answered that it does not take this, or there is nobody who could send it. Whatever is no such answer counts as
// passing (no connection, an overloaded homeserver or database, and what nobody thought of), as nothing is lost by
// waiting.
func passing(err error) bool {
	var answer mautrix.HTTPError
	if !errors.As(err, &answer) {
		return !errors.Is(err, bridgev2.ErrFailedToGetIntent)
	}
	if answer.Response == nil {
		return true
	}
	switch code := answer.Response.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return true
	case code == http.StatusUnauthorized:
		return true // the registration is wrong at the moment; the message is not
	}
	return false
}
