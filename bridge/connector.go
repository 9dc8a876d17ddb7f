package bridge

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
	"go.mau.fi/util/configupgrade"
	"go.mau.fi/util/exsync"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/matrixside/inbox"
	"matrix-messenger/oauth"
	"matrix-messenger/xmppside"
)

// Connector is the Messenger network as bridgev2 sees it. It owns what all accounts share; an account's own things are in its Client.
type Connector struct {
	Config config.Config

	br     *bridgev2.Bridge
	log    zerolog.Logger
	db     *database.Database
	sealer *database.Sealer
	claim  *database.Claim // this process' right to the database

	service *xmppside.Service
	matrix  *matrix.Connector
	inbox   *inbox.Inbox
	metrics *metrics

	oauth    *oauth.Client                // nil when no client ID is configured
	callback atomic.Pointer[http.Handler] // nil unless the browser comes back to us

	leaving sync.Mutex // held while chats of somebody who logged out are forgotten
	// accounts are locked while a login of theirs is being made, and while a chat of a former one is forgotten.
	accounts *exsync.KeyedMutex[networkid.UserLoginID]
	left     chan struct{}              // holds something when chats of somebody who logged out are to be forgotten
	telling  *exsync.KeyedMutex[string] // by room, held while its senders are told
	untold   chan struct{}              // holds something when senders are to be told how a message ended

	// waitingAfter is the row of the outbox after which chats are to be told that messages wait; it is overseeQueues'.
	waitingAfter int64
	// pendingAgain is when it is told again that a message waits, in nanoseconds since 1970.
	pendingAgain atomic.Int64

	// run tells the streams of this run of the program from those of earlier ones.
	run string
	// leftovers are the chats with messages of earlier runs, by login; lastRow is the newest row of those runs.
	leftovers map[string][]string
	lastRow   int64
	// noticed are the chats that have a notice of something set aside, by login, as they were at the start.
	noticed map[string]map[string]bool

	// generated is the secret key that was made in this start because the file has none.
	generated string
	// wrongKeys is called with the keys of the file that do not exist, before the file is rewritten.
	wrongKeys func([]*config.KeyError)

	archiveTurns *turns // of reading the archives of chats
	listTurns    *turns // of asking for the chats of an archive

	waits sync.Mutex // held while somebody begins to wait for a chat's room

	spaces chan struct{} // holds something for each account whose space is being made

	stateNotices string // which changes of a session its user is told
	noticeTurns  *turns // of telling it

	mu      sync.Mutex
	clients map[networkid.UserLoginID]*Client

	departures departures // rooms that are to be let go

	crowd  crowd      // what the accounts share about contacts
	filter roomFilter // which chats may have rooms

	commandNamesOnce sync.Once
	commandNames     map[string]bool

	featuresOnce sync.Once
	roomFeatures *event.RoomFeatures

	ctx  context.Context // ends with the bridge
	stop context.CancelFunc
	work work // everything that runs on ctx
}

var (
	_ bridgev2.NetworkConnector            = (*Connector)(nil)
	_ bridgev2.StoppableNetwork            = (*Connector)(nil)
	_ bridgev2.ConfigValidatingNetwork     = (*Connector)(nil)
	_ bridgev2.IdentifierValidatingNetwork = (*Connector)(nil)
)

// Init implements bridgev2.NetworkConnector. It does no I/O.
func (c *Connector) Init(br *bridgev2.Bridge) {
	c.br = br
	c.log = br.Log.With().Str("component", "messenger").Logger()
	c.clients = map[networkid.UserLoginID]*Client{}
	c.run = newKey()
	c.untold = make(chan struct{}, 1)
	c.telling = exsync.NewKeyedMutex[string]()
	c.left = make(chan struct{}, 1)
	c.accounts = exsync.NewKeyedMutex[networkid.UserLoginID]()
	c.archiveTurns, c.listTurns = newTurns(archiveReads), newTurns(archiveLists)
	c.spaces = make(chan struct{}, spacesAtATime)
	c.noticeTurns = newTurns(stateNoticesAtATime)
	c.ctx, c.stop = context.WithCancel(c.log.WithContext(context.Background()))

	// The framework's own queues answer before anything is handled, and lose what is in them at the end: ours replace them.
	br.Config.PortalEventBuffer = 0
	br.Config.AsyncEvents = false
	br.Config.SendReconnectWait = 0
	br.Config.DeduplicateMatrixMessages = false
	// Ours take the place of its notices about sessions.
	c.stateNotices, br.Config.BridgeStatusNotices = br.Config.BridgeStatusNotices, "none"
	// Without it the rejection of an invite never reaches us. Plain leaves are ignored by HandleMatrixMembership.
	br.Config.BridgeMatrixLeave = true

	c.filter.use(br.Config.PortalCreateFilter)
	br.Commands.(*commands.Processor).AddHandlers(c.commands()...)
}

// Start implements bridgev2.NetworkConnector: the framework's tables exist by now, the accounts are not loaded yet.
func (c *Connector) Start(ctx context.Context) error {
	if err := c.db.EnsureIndexes(ctx); err != nil {
		return bridgev2.DBUpgradeError{Section: "messenger", Err: fmt.Errorf("the framework's tables could not be indexed: %w", err)}
	}
	// Nothing is cached yet: a ghost that is in memory may not be removed.
	if err := c.db.RemoveLeft(ctx, string(c.br.ID), func(ghost string) string { return c.matrix.FormatGhostMXID(userID(ghost)).String() }); err != nil {
		return bridgev2.DBUpgradeError{Section: "messenger", Err: fmt.Errorf("contacts that nobody has any more could not be removed: %w", err)}
	}
	var err error
	c.service, err = NewService(&c.Config, xmppside.ServiceOptions{Log: c.log, OnReconnect: c.metrics.reconnect})
	if err != nil {
		return err
	}
	return c.metrics.listen(c)
}

// Stop implements bridgev2.StoppableNetwork. The accounts are disconnected by now; nothing is drained, because what is queued is in the database.
func (c *Connector) Stop() {
	if c.inbox != nil {
		c.inbox.Stop()
	}
	c.stop()
	c.metrics.close() // serving them is work that is waited for
	c.work.Wait()
	c.db.Close()
	if c.claim == nil {
		return
	}
	if err := c.claim.Release(); err != nil {
		c.log.Warn().Err(err).Msg("The database's lock could not be given back; it ends with the process")
	}
}

// spawn runs f on the connector's context until the bridge stops.
func (c *Connector) spawn(f func(ctx context.Context)) {
	c.work.Go(func() { f(c.ctx) })
}

// GetDBMetaTypes implements bridgev2.NetworkConnector.
func (c *Connector) GetDBMetaTypes() bridgedb.MetaTypes {
	return bridgedb.MetaTypes{
		UserLogin: func() any { return &LoginMetadata{} },
	}
}

// LoginMetadata is what the framework's table of logins holds for us. Secrets are not in it: they are sealed in the credential table.
type LoginMetadata struct {
	JID string `json:"jid"` // the bare JID as the service spells it
}

// CopyFrom implements the framework's MetaMerger, so that signing in again keeps what was there.
func (m *LoginMetadata) CopyFrom(other any) {
	if o, ok := other.(*LoginMetadata); ok && o.JID != "" {
		m.JID = o.JID
	}
}

// GetConfig implements bridgev2.NetworkConnector.
func (c *Connector) GetConfig() (example string, data any, upgrader configupgrade.Upgrader) {
	return config.Example, &c.Config, config.Upgrader{
		Wrong:     c.wrongKeys,
		Generated: func(key string) { c.generated = key },
	}
}

// ValidateConfig implements bridgev2.ConfigValidatingNetwork.
func (c *Connector) ValidateConfig() error { return c.Config.Validate() }

// ValidateUserID implements bridgev2.IdentifierValidatingNetwork.
func (c *Connector) ValidateUserID(user networkid.UserID) bool { return validUserID(user) }

// LoadUserLogin implements bridgev2.NetworkConnector. It runs under the framework's global lock: no I/O. A login that is renewed keeps its client.
func (c *Connector) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	if _, ok := login.Client.(*Client); ok {
		return nil
	}
	client := newClient(c, login)
	login.Client = client
	c.mu.Lock()
	c.clients[login.ID] = client
	c.mu.Unlock()
	return nil
}

func (c *Connector) client(login networkid.UserLoginID) *Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clients[login]
}

// allClients is a snapshot of the clients there are.
func (c *Connector) allClients() []*Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*Client, 0, len(c.clients))
	for _, client := range c.clients {
		all = append(all, client)
	}
	return all
}

// streamID names a stream in the database. Streams of earlier runs have other names.
func (c *Connector) streamID(session uint64) string {
	return c.run + "." + strconv.FormatUint(session, 10)
}

// findLeftover notes what earlier runs left in the Messenger inbox: the oldest row of each chat may have been on its way to the homeserver when
// the program ended.
func (c *Connector) findLeftover(ctx context.Context) error {
	chats, err := c.db.MessengerInbox.PendingChats(ctx)
	if err != nil {
		return err
	}
	c.leftovers = map[string][]string{}
	for _, chat := range chats {
		c.leftovers[chat.LoginID] = append(c.leftovers[chat.LoginID], chat.ChatID)
	}
	noticed, err := c.db.Aside.Chats(ctx)
	if err != nil {
		return err
	}
	c.noticed = map[string]map[string]bool{}
	for _, chat := range noticed {
		if c.noticed[chat.LoginID] == nil {
			c.noticed[chat.LoginID] = map[string]bool{}
		}
		c.noticed[chat.LoginID][chat.ChatID] = true
	}
	left, err := c.db.Departure.All(ctx)
	if err != nil {
		return err
	}
	for _, departure := range left {
		c.departures.note(departure)
	}
	c.lastRow, err = c.db.MessengerInbox.LastSeq(ctx)
	return err
}

// leftover lists the chats of a login that earlier runs left something in.
func (c *Connector) leftover(login string) []string { return c.leftovers[login] }

// isLeftover tells whether an earlier run stored the row.
func (c *Connector) isLeftover(row int64) bool { return row <= c.lastRow }
