package bridge

import (
	"time"

	"maunium.net/go/mautrix/bridgev2/status"

	"matrix-messenger/xmppside"
)

// onState turns a change of the account into a bridge state.
func (cl *Client) onState(ev xmppside.StateEvent) {
	cl.mu.Lock()
	cl.state = ev
	cl.last.note(ev)
	cl.mu.Unlock()
	if state, ok := bridgeState(ev); ok {
		cl.sendState(state)
	}
}

// lastProblem is what last kept an account from being connected, for as long as the program runs: a session that breaks again
// and again is connected whenever somebody looks.
type lastProblem struct {
	code xmppside.Code
	text string
	at   time.Time
}

// note keeps the problem of a state, if it begins with one. To be sent on to another host is none.
func (l *lastProblem) note(ev xmppside.StateEvent) {
	if ev.State == xmppside.Connecting || ev.Problem == nil || ev.Problem.Action == xmppside.Follow {
		return
	}
	*l = lastProblem{code: ev.Problem.Code, text: ev.Problem.Text, at: ev.Since}
}

// bridgeState is what the framework is told. Nothing is told about an account that was stopped: whoever stopped it says why.
func bridgeState(ev xmppside.StateEvent) (status.BridgeState, bool) {
	state := status.BridgeState{}
	if p := ev.Problem; p != nil {
		state.Error = status.BridgeStateErrorCode(p.Code)
		state.Message = p.Text
	}
	switch ev.State {
	case xmppside.Connecting:
		// A further attempt is not news: the state stays what it was until it ends well or badly.
		if ev.Attempt > 1 {
			return state, false
		}
		state = status.BridgeState{StateEvent: status.StateConnecting}
	case xmppside.Online:
		state = status.BridgeState{StateEvent: status.StateConnected}
	case xmppside.SignedOut:
		state.StateEvent = status.StateBadCredentials
		state.UserAction = status.UserActionRelogin
	case xmppside.Waiting:
		state.StateEvent = status.StateTransientDisconnect
		if ev.Next.IsZero() || ev.Problem != nil && ev.Problem.Action == xmppside.RetryLongest {
			// Somebody has to do something: say so at once, not after the framework's minutes of patience.
			state.StateEvent = status.StateUnknownError
		}
	default:
		return state, false
	}
	return state, true
}

func (cl *Client) sendState(state status.BridgeState) {
	cl.login.BridgeState.Send(state)
	cl.notices.on(state)
}

// describe is the session's state in words, for the command `status`.
func (cl *Client) describe(now time.Time) string {
	cl.mu.Lock()
	ev, last := cl.state, cl.last
	cl.mu.Unlock()
	since := ""
	if !ev.Since.IsZero() {
		since = " since " + pointInTime(ev.Since, now)
	}
	text := "not connected"
	switch ev.State {
	case xmppside.Connecting:
		text = "connecting" + since
	case xmppside.Online:
		text = "connected" + since
	case xmppside.Waiting:
		text = "disconnected" + since
		if !ev.Next.IsZero() {
			text += ", next attempt in " + roughly(ev.Next.Sub(now))
		}
	case xmppside.SignedOut:
		text = "signed out" + since
	}
	switch {
	case ev.Problem != nil:
		text += ". " + ev.Problem.Text + " (" + string(ev.Problem.Code) + ")"
	case !last.at.IsZero():
		text += ". The last problem was at " + pointInTime(last.at, now) + ": " + last.text + " (" + string(last.code) + ")"
	}
	return text
}

// pointInTime writes when something was, and how long ago that is.
func pointInTime(at, now time.Time) string {
	return at.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + roughly(now.Sub(at)) + ")"
}

// roughly writes a length of time for people.
func roughly(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return d.Round(time.Minute).String()[:len(d.Round(time.Minute).String())-2]
	default:
		text := d.Round(time.Minute).String()
		return text[:len(text)-2]
	}
}
