package bridge

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"matrix-messenger/xmppside"
)

// Client is one account that a Matrix user has signed in to. It owns the account's connection and everything that hangs on it.
//
// A client is "logged in" from the moment it exists until it is logged out: what Matrix users write while the session is down waits in the
// outbox, so the framework must not refuse it.
type Client struct {
	c     *Connector
	login *bridgev2.UserLogin
	log   zerolog.Logger

	outbox   *outbox
	inbound  *inbound
	people   *people
	typing   *typing
	presence *presence
	history  *history
	notices  *stateNotices

	mu      sync.Mutex
	running *running // nil while disconnected
	state   xmppside.StateEvent
	last    lastProblem
	gone    bool // logged out
}

// running is what exists between Connect and Disconnect.
type running struct {
	account *xmppside.Account // nil until the credential is read
	again   chan struct{}     // of size 1: the credential is to be read now
	cancel  context.CancelFunc
	done    chan struct{} // closed when everything has ended
}

var (
	_ bridgev2.NetworkAPI           = (*Client)(nil)
	_ bridgev2.NetworkAPIWithUserID = (*Client)(nil)
	_ xmppside.Handler              = (*Client)(nil)
)

func newClient(c *Connector, login *bridgev2.UserLogin) *Client {
	cl := &Client{c: c, login: login, log: login.Log.With().Str("component", "messenger").Logger()}
	cl.outbox = newOutbox(cl)
	cl.inbound = newInbound(cl)
	cl.people = newPeople(cl)
	cl.typing = newTyping(cl)
	cl.presence = newPresence(cl)
	cl.history = newHistory(cl)
	cl.notices = newStateNotices(cl)
	return cl
}

// id is the login's identifier, which is also the own contact ID.
func (cl *Client) id() string { return string(cl.login.ID) }

// GetUserID implements bridgev2.NetworkAPIWithUserID.
func (cl *Client) GetUserID() networkid.UserID { return userID(cl.id()) }

// IsThisUser implements bridgev2.NetworkAPI.
func (cl *Client) IsThisUser(_ context.Context, user networkid.UserID) bool {
	return strings.EqualFold(string(user), cl.id())
}

// IsLoggedIn implements bridgev2.NetworkAPI.
func (cl *Client) IsLoggedIn() bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return !cl.gone
}

// Connect implements bridgev2.NetworkAPI. It returns at once and may be called again: a login that is made while the bridge starts is connected twice.
func (cl *Client) Connect(context.Context) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.gone || cl.c.ctx.Err() != nil {
		return
	}
	if cl.running != nil {
		if cl.running.account != nil {
			cl.running.account.Reconnect()
			return
		}
		select {
		case cl.running.again <- struct{}{}:
		default:
		}
		return
	}
	ctx, cancel := context.WithCancel(cl.log.WithContext(cl.c.ctx))
	run := &running{again: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	cl.running = run
	begun := cl.c.work.Go(func() {
		defer close(run.done)
		cl.run(ctx, run)
	})
	if !begun {
		close(run.done)
	}
}

// run keeps the account signed in until ctx ends. Its frame lies beneath a session that may wait for days: what needs room has functions of its own.
func (cl *Client) run(ctx context.Context, run *running) {
	account, end := cl.begin(ctx, run)
	if account == nil {
		return
	}
	account.Run(ctx)
	// It may have to wait for the OAuth address: a renewal must not be cut off once the old token may have been used up.
	if !cl.c.work.Go(end) {
		end()
	}
}

// begin makes the login's space, reads the credential, makes the account, and says what is to be called at its end. There is no account when ctx ends before that.
func (cl *Client) begin(ctx context.Context, run *running) (*xmppside.Account, func()) {
	cl.makeSpace(ctx)
	credential, err := cl.credential(ctx, run)
	if err != nil {
		return nil, nil
	}
	account, end := cl.openAccount(ctx, credential)
	cl.mu.Lock()
	run.account = account
	cl.mu.Unlock()
	cl.inbound.resume()
	return account, end
}

// Disconnect implements bridgev2.NetworkAPI. It waits for the session to be closed in good order, but not longer than disconnectTimeout.
func (cl *Client) Disconnect() {
	cl.mu.Lock()
	run := cl.running
	cl.running = nil
	cl.mu.Unlock()
	if run == nil {
		return
	}
	cl.notices.stop()
	cl.outbox.drain()
	run.cancel()
	select {
	case <-run.done:
	case <-time.After(disconnectTimeout):
		cl.log.Warn().Msg("The session is taking long to close")
	}
	cl.outbox.stop()
	cl.history.stop()
	cl.inbound.stop()
}

const disconnectTimeout = 10 * time.Second

// LogoutRemote implements bridgev2.NetworkAPI: the session ends, what is still queued is reported to its senders, and all that is stored of the login is wiped.
// The service has no way to revoke a token (messenger-protocol.md section 4).
func (cl *Client) LogoutRemote(ctx context.Context) {
	cl.mu.Lock()
	cl.gone = true
	cl.mu.Unlock()
	cl.Disconnect()
	cl.forget(ctx)
}

// forget reports what is queued and removes everything of the login from our tables. What the database does not take at the
// moment is made up for as soon as the framework's login is gone. Whoever asked for the logout need not wait for it.
func (cl *Client) forget(ctx context.Context) {
	if err := cl.c.wipe(context.WithoutCancel(ctx), cl.id()); err != nil {
		cl.log.Err(err).Msg("The login's data could not be removed yet")
	}
	cl.c.forgetChats(cl.login.ID, cl.login.SpaceRoom)
	cl.c.mu.Lock()
	if cl.c.clients[cl.login.ID] == cl {
		delete(cl.c.clients, cl.login.ID)
	}
	cl.c.mu.Unlock()
}

// account is the account while there is one, else nil.
func (cl *Client) account() *xmppside.Account {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.running == nil {
		return nil
	}
	return cl.running.account
}

// session is the signed-in stream while there is one, else nil.
func (cl *Client) session() *xmppside.Session {
	if account := cl.account(); account != nil {
		return account.Session()
	}
	return nil
}
