package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// CallbackPath is where Callback is served, below the bridge's public address.
const CallbackPath = "/_messenger/oauth/callback"

const (
	// maxQuery bounds the query of a callback, in bytes.
	maxQuery = 16 << 10
	// exchangeTries is how often the callback tries to exchange a code when
	// the service has a passing problem: the user should not have to start again.
	exchangeTries = 3
	// callbackTimeout bounds the exchange with its repetitions.
	callbackTimeout = 60 * time.Second
)

// callback serves CallbackPath.
type callback struct {
	client *Client
	log    zerolog.Logger
}

// Callback is the handler of CallbackPath. It finds the attempt by its state,
// exchanges the code, gives the tokens to [Attempt.Wait] and shows the user a
// page, for which it waits until [Attempt.Done] tells who signed in. Its
// requests end within about 75 seconds whatever the service does. The log gets
// outcomes, never the address.
func (c *Client) Callback(log zerolog.Logger) http.Handler {
	return &callback{client: c, log: log}
}

func (cb *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// HEAD would use up the code without showing the result.
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		cb.show(w, http.StatusMethodNotAllowed, pageNoAnswer)
		return
	}
	query := r.URL.Query()
	if len(r.URL.RawQuery) > maxQuery || len(query["state"]) > 1 || len(query["code"]) > 1 {
		cb.show(w, http.StatusBadRequest, pageNoAnswer)
		return
	}
	a := cb.client.attempts.find(query.Get("state"))
	switch {
	case a == nil:
		cb.log.Info().Msg("Sign-in callback with an unknown or expired state")
		cb.show(w, http.StatusGone, pageExpired)
		return
	case query.Get("error") == "" && query.Get("code") == "":
		cb.show(w, http.StatusBadRequest, pageNoAnswer)
		return
	case !a.claim():
		cb.show(w, http.StatusGone, pageUsed)
		return
	}
	log := cb.log.With().Str("owner", a.owner).Logger()
	if query.Get("error") != "" {
		err := answerError(map[string]string{
			"error": query.Get("error"), "error_description": query.Get("error_description"), "state": a.state,
		})
		log.Info().Err(err).Stringer("class", err.Class).Msg("Sign-in page sent an error")
		a.deliver(Tokens{}, err)
		cb.showError(w, err)
		return
	}
	t, err := cb.exchange(r.Context(), a, query.Get("code"))
	if err != nil {
		log.Warn().Err(err).Stringer("class", ClassOf(err)).Msg("Sign-in code was not exchanged")
		a.deliver(Tokens{}, err)
		cb.showError(w, err)
		return
	}
	log.Info().Object("tokens", t).Msg("Sign-in code exchanged")
	a.deliver(t, nil)
	cb.showOutcome(w, r, a)
}

// exchange trades the code, patiently. It goes on when the browser is closed:
// the login does not need it any more.
func (cb *callback) exchange(ctx context.Context, a *Attempt, code string) (Tokens, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callbackTimeout)
	defer cancel()
	for n := 1; ; n++ {
		t, err := cb.client.exchange(ctx, a, code)
		if ClassOf(err) != Transient || n == exchangeTries {
			return t, err
		}
		select {
		case <-time.After(cb.client.retryWait(n)):
		case <-ctx.Done():
			return t, err
		case <-a.over:
			return t, err
		}
	}
}

// showOutcome waits to learn who signed in. The login goes on without the page
// if that takes long.
func (cb *callback) showOutcome(w http.ResponseWriter, r *http.Request, a *Attempt) {
	timer := time.NewTimer(cb.client.doneWait)
	defer timer.Stop()
	select {
	case v := <-a.done:
		if v.err != nil {
			cb.showLoginError(w, v.err)
			return
		}
		p := pageSuccess
		p.Name, p.Owner = v.name, a.owner
		cb.show(w, http.StatusOK, p)
	case <-timer.C:
		p := pageConnecting
		p.Owner = a.owner
		cb.show(w, http.StatusOK, p)
	case <-r.Context().Done():
	}
}

// showError shows the page of an error of this package.
func (cb *callback) showError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		cb.show(w, http.StatusInternalServerError, pageFailed)
		return
	}
	switch e.Class {
	case Refused:
		cb.show(w, http.StatusForbidden, pageRefused)
	case StartAgain:
		cb.show(w, http.StatusBadGateway, pageNotAccepted)
	case Transient:
		cb.show(w, http.StatusBadGateway, pageUnreachable)
	default:
		p := pageSettings
		p.Code = e.Code
		cb.show(w, http.StatusBadGateway, p)
	}
}

// showLoginError shows why the sign-in was good but the account did not connect.
func (cb *callback) showLoginError(w http.ResponseWriter, err error) {
	p := pageFailed
	var human interface{ HumanError() string }
	if errors.As(err, &human) {
		p.Text = human.HumanError()
	}
	cb.show(w, http.StatusBadGateway, p)
}
