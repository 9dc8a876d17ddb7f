package bridge

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
)

// What the framework's key bridge_status_notices may say; anything else means none.
const (
	noticesAll    = "all"
	noticesErrors = "errors"
)

const (
	// tellLostAfter is how long a session that the bridge tries to get back may be away before its user is told.
	tellLostAfter = 3 * time.Minute
	// stateNoticesAtATime is how many users are told at the same time: when the service goes down, it does so for all.
	stateNoticesAtATime = 16
)

const (
	textStateConnecting = "Your account %s is being connected to " + service + "."
	textStateConnected  = "Your account %s is connected to " + service + "."
	textStateBack       = "Your account %s is connected to " + service + " again."
	textStateLost       = "Your account %s has lost its connection to " + service + ". %s"
	textStateAway       = "Your account %s has not been connected to " + service + " for some minutes. %s"
	textStateStopped    = "Your account %s is not connected to " + service + ". %s"
	textStateSignedOut  = "Your account %s is signed out of " + service + ". %s"
)

// stateNotices tells the user of a login in the management room that the session needs somebody or has been away for minutes,
// and that it is back; or every change, as configured. The framework would do so in a program's words, and its goroutines for it
// share what they note without a lock; so its own are off.
//
// Only the newest is still to be told: while the homeserver is away, what it would have been told before is overtaken.
type stateNotices struct {
	cl    *Client
	after time.Duration // tellLostAfter
	send  func(ctx context.Context, notice *stateNotice) error

	mu      sync.Mutex
	now     status.BridgeState
	lost    *time.Timer  // runs while a lost session may still come back unnoticed
	trouble bool         // the user is to be told that something is wrong, or has been
	told    bool         // it was tried at least
	said    string       // the trouble that was last to be told since the last attempt that is news
	next    *stateNotice // still to be told
	busy    bool         // somebody is telling, or will try again
	failed  int          // in a row
}

// stateNotice is one notice. What is wrong is an ordinary message, by which clients draw their user's attention.
type stateNotice struct {
	key, text string
	kind      event.MessageType
	state     status.BridgeState
}

func newStateNotices(cl *Client) *stateNotices {
	return &stateNotices{cl: cl, after: tellLostAfter, send: cl.tellState}
}

// on takes a change of the session's state.
func (n *stateNotices) on(state status.BridgeState) {
	which := n.cl.c.stateNotices
	if which != noticesAll && which != noticesErrors {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	same := n.now.StateEvent == state.StateEvent && n.now.Error == state.Error && n.now.Message == state.Message
	n.now = state.Fill(n.cl.login)
	switch state.StateEvent {
	case status.StateConnecting:
		n.said = ""
		if which == noticesAll && !same {
			n.tell(textStateConnecting)
		}
	case status.StateConnected:
		n.stopWaiting()
		switch {
		case n.told:
			n.tell(textStateBack)
		case which == noticesAll && !same:
			n.tell(textStateConnected)
		case n.trouble:
			n.next = nil // nobody has been told of what is over
		}
		n.trouble, n.told, n.said = false, false, ""
	case status.StateTransientDisconnect:
		switch {
		case which == noticesAll && !same:
			n.tellTrouble(textStateLost)
		case n.lost == nil && !n.trouble:
			n.lost = time.AfterFunc(n.after, n.overdue)
		}
	case status.StateBadCredentials:
		n.stopWaiting()
		n.tellTrouble(textStateSignedOut)
	case status.StateUnknownError:
		n.stopWaiting()
		n.tellTrouble(textStateStopped)
	}
}

// overdue is called when a session has been away for long.
func (n *stateNotices) overdue() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lost == nil {
		return
	}
	n.lost = nil
	if n.now.StateEvent != status.StateConnected {
		n.tellTrouble(textStateAway)
	}
}

// stop forgets what was still to be told: somebody has ended the session.
func (n *stateNotices) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopWaiting()
	n.now, n.trouble, n.told, n.said, n.next = status.BridgeState{}, false, false, "", nil
}

// stopWaiting is called with the lock.
func (n *stateNotices) stopWaiting() {
	if n.lost != nil {
		n.lost.Stop()
		n.lost = nil
	}
}

// tellTrouble is called with the lock. The same is said once.
func (n *stateNotices) tellTrouble(format string) {
	text := strings.TrimSpace(fmt.Sprintf(format, n.cl.id(), n.now.Message))
	if text == n.said {
		return
	}
	n.trouble, n.said = true, text
	n.put(event.MsgText, text)
}

// tell is called with the lock.
func (n *stateNotices) tell(format string) { n.put(event.MsgNotice, fmt.Sprintf(format, n.cl.id())) }

// put is called with the lock.
func (n *stateNotices) put(kind event.MessageType, text string) {
	n.next = &stateNotice{key: "state " + n.cl.id() + " " + newKey(), text: text, kind: kind, state: n.now}
	if !n.busy {
		n.busy = true
		n.take()
	}
}

// take asks for a turn.
func (n *stateNotices) take() {
	if !n.cl.c.noticeTurns.take(n.try) {
		n.later(n.failed + 1)
	}
}

// try tells what is to be told now, and what comes up meanwhile.
func (n *stateNotices) try() {
	for {
		n.mu.Lock()
		notice, ctx := n.next, n.cl.c.ctx
		if notice == nil || ctx.Err() != nil {
			n.busy, n.failed = false, 0
			n.mu.Unlock()
			return
		}
		n.told = n.told || notice.kind == event.MsgText
		n.mu.Unlock()
		err := n.send(ctx, notice)
		n.mu.Lock()
		if err != nil {
			n.failed++
			n.cl.log.Warn().Err(err).Int("attempt", n.failed).Msg("The user could not be told about the session yet")
			n.later(n.failed)
			n.mu.Unlock()
			return
		}
		n.failed = 0
		if n.next == notice {
			n.next = nil
		}
		n.mu.Unlock()
	}
}

// later tries again.
func (n *stateNotices) later(attempt int) { time.AfterFunc(backoff(attempt), n.take) }

// tellState sends a notice with the state that it is about, as the framework's key promises. An error means that it is to be tried again.
func (cl *Client) tellState(ctx context.Context, notice *stateNotice) error {
	content := event.Content{Raw: map[string]any{"fi.mau.bridge_state": notice.state}, Parsed: inMarkdown(notice.kind, notice.text)}
	return cl.tellSurelyAs(ctx, notice.key, &content)
}
