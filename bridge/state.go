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
	cl.mu.Unlock()
	if state, ok := bridgeState(ev); ok {
		cl.sendState(state)
	}
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

func (cl *Client) sendState(state status.BridgeState) { cl.login.BridgeState.Send(state) }

// describe is the session's state in words, for the command `status`.
func (cl *Client) describe(now time.Time) string {
	cl.mu.Lock()
	ev := cl.state
	cl.mu.Unlock()
	since := ""
	if !ev.Since.IsZero() {
		since = " since " + ev.Since.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + roughly(now.Sub(ev.Since)) + ")"
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
	if ev.Problem != nil {
		text += ". " + ev.Problem.Text + " (" + string(ev.Problem.Code) + ")"
	}
	return text
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
