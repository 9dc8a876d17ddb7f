package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"maunium.net/go/mautrix"
)

const (
	// readyPatience bounds each question that readiness asks.
	readyPatience = 5 * time.Second
	// readyKept is how long an answer to them is good, so that nobody can make the bridge busy by asking for it.
	readyKept = 2 * time.Second
)

// Unready is a reason why the bridge cannot do its work at the moment.
type Unready struct {
	Check   string `json:"check"`   // start, stop, database, homeserver or registration
	Message string `json:"message"` // a sentence
}

// readiness answers GET /_matrix/mau/ready: 200 when messages can pass, 503 with the reasons when they cannot. It replaces the framework's, which only tells
// whether the start is complete. Single accounts do not count: that somebody has to sign in again is no reason to take the bridge off.
type readiness struct {
	m *Main

	mu      sync.Mutex // held while asking, so that there is one question at a time
	asked   time.Time
	reasons []Unready
}

// serveReady puts it before the framework's.
func (m *Main) serveReady() {
	r := &readiness{m: m}
	m.Matrix.AS.Router.HandleFunc("GET /_matrix/mau/ready", r.serve)
}

func (r *readiness) serve(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Ready   bool      `json:"ready"`
		Reasons []Unready `json:"reasons,omitempty"`
	}{Reasons: append(r.phase(), r.checks()...)}
	answer.Ready = len(answer.Reasons) == 0
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// phase is what the program itself is at.
func (r *readiness) phase() []Unready {
	switch {
	case r.m.phase.Load() == phaseEnding || r.m.Bridge.IsStopping():
		return []Unready{{"stop", "The bridge is stopping."}}
	case r.m.phase.Load() == phaseStarting:
		return []Unready{{"start", "The bridge is starting."}}
	}
	return nil
}

// checks asks the others, or repeats what was found a moment ago. It does not follow the context of a request: the answer is for all that ask meanwhile.
func (r *readiness) checks() []Unready {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked.IsZero() && time.Since(r.asked) < readyKept {
		return r.reasons
	}
	var reasons [2][]Unready
	var both sync.WaitGroup
	both.Go(func() { reasons[0] = r.database() })
	both.Go(func() { reasons[1] = r.homeserver() })
	both.Wait()
	r.reasons, r.asked = append(reasons[0], reasons[1]...), time.Now()
	return r.reasons
}

// database finds out whether something can be stored: a full disk or a server that only reads would let events pile up at the homeserver.
func (r *readiness) database() []Unready {
	ctx, cancel := context.WithTimeout(r.m.Connector.ctx, readyPatience)
	defer cancel()
	if err := r.m.Connector.db.Probe(ctx); err != nil {
		r.m.Connector.log.Warn().Err(err).Msg("Nothing can be stored in the database")
		return []Unready{{"database", "Nothing can be stored in the database. Look whether it can be reached, and whether its disk is full; the log has the error."}}
	}
	return nil
}

// homeserver finds out whether it answers, and as whom it knows us.
func (r *readiness) homeserver() []Unready {
	ctx, cancel := context.WithTimeout(mautrix.WithMaxRetries(r.m.Connector.ctx, 0), readyPatience)
	defer cancel()
	who, err := r.m.Matrix.Bot.Whoami(ctx)
	var answer mautrix.HTTPError
	switch {
	case err == nil && who.UserID == r.m.Matrix.Bot.UserID:
		return nil
	case err == nil, errors.Is(err, mautrix.MUnknownToken), errors.Is(err, mautrix.MForbidden), errors.Is(err, mautrix.MExclusive):
		return []Unready{{"registration", "The homeserver does not know the bridge. Install the registration file in the homeserver, and restart that."}}
	case errors.As(err, &answer) && answer.Response != nil:
		return []Unready{{"homeserver", "The homeserver answers with errors (" + answer.Response.Status + ")."}}
	}
	return []Unready{{"homeserver", "The homeserver does not answer at homeserver.address."}}
}
