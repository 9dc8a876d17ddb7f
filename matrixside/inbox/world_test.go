package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/configupgrade"
	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/internal/homeserver"
	"matrix-messenger/matrixside/inbox"
)

// trayNetwork is a network whose messages end in the outbox.
type trayNetwork struct {
	db     *database.Database
	before func(text string) // called before a message is queued; may be nil
	after  func(text string) // called after; may be nil

	mu      sync.Mutex
	handled []string
	changed chan struct{} // closed and replaced when a message was handled
}

func (n *trayNetwork) Init(*bridgev2.Bridge)       {}
func (n *trayNetwork) Start(context.Context) error { return nil }
func (n *trayNetwork) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Tray", NetworkURL: "https://tray.example", NetworkID: "tray", BeeperBridgeType: "tray", DefaultPort: 1}
}
func (n *trayNetwork) GetDBMetaTypes() bridgedb.MetaTypes { return bridgedb.MetaTypes{} }
func (n *trayNetwork) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (n *trayNetwork) GetConfig() (string, any, configupgrade.Upgrader) { return "", nil, nil }
func (n *trayNetwork) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	login.Client = &trayClient{n, login}
	return nil
}
func (n *trayNetwork) GetLoginFlows() []bridgev2.LoginFlow { return nil }
func (n *trayNetwork) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, bridgev2.ErrInvalidLoginFlowID
}
func (n *trayNetwork) GetBridgeInfoVersion() (int, int) { return 1, 1 }

// waitFor waits until count messages were handled and returns them.
func (n *trayNetwork) waitFor(t testing.TB, count int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		n.mu.Lock()
		handled, changed := append([]string(nil), n.handled...), n.changed
		n.mu.Unlock()
		if len(handled) >= count {
			return handled
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("handled %q, want %d messages", handled, count)
		}
	}
}

type trayClient struct {
	net   *trayNetwork
	login *bridgev2.UserLogin
}

func (c *trayClient) Connect(context.Context)                                  {}
func (c *trayClient) Disconnect()                                              {}
func (c *trayClient) LogoutRemote(context.Context)                             {}
func (c *trayClient) IsLoggedIn() bool                                         { return true }
func (c *trayClient) IsThisUser(_ context.Context, user networkid.UserID) bool { return user == "me" }

func (c *trayClient) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return &event.RoomFeatures{ID: "tray"}
}

func (c *trayClient) GetChatInfo(_ context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	dm, contact := bridgedb.RoomTypeDM, networkid.UserID(portal.ID)
	members := bridgev2.ChatMemberMap{}
	members.Set(bridgev2.ChatMember{EventSender: bridgev2.EventSender{IsFromMe: true, SenderLogin: c.login.ID, Sender: "me"}})
	members.Set(bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: contact}})
	return &bridgev2.ChatInfo{Type: &dm, Members: &bridgev2.ChatMemberList{IsFull: true, OtherUserID: contact, MemberMap: members}}, nil
}

func (c *trayClient) GetUserInfo(_ context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	name := string(ghost.ID)
	return &bridgev2.UserInfo{Name: &name}, nil
}

func (c *trayClient) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	text, eventID := msg.Content.Body, string(msg.Event.ID)
	if c.net.before != nil {
		c.net.before(text)
	}
	_, err := c.net.db.Outbox.Enqueue(ctx, []database.OutboxMessage{{
		LoginID: string(c.login.ID), ChatID: string(msg.Portal.ID), EventID: eventID, Parts: 1, StanzaID: eventID,
		RoomID: string(msg.Portal.MXID), Kind: database.KindText, Body: []byte(text),
	}})
	if err != nil {
		return nil, err
	}
	if c.net.after != nil {
		c.net.after(text)
	}
	c.net.mu.Lock()
	c.net.handled = append(c.net.handled, text)
	close(c.net.changed)
	c.net.changed = make(chan struct{})
	c.net.mu.Unlock()
	return &bridgev2.MatrixMessageResponse{DB: &bridgedb.Message{ID: networkid.MessageID(eventID), SenderID: "me"}}, nil
}

// say makes the contact's room, with a message in it.
func (c *trayClient) say(contact string) error {
	result := c.login.QueueRemoteEvent(&simplevent.Message[string]{
		EventMeta: simplevent.EventMeta{
			Type: bridgev2.RemoteEventMessage, PortalKey: networkid.PortalKey{ID: networkid.PortalID(contact), Receiver: c.login.ID},
			Sender: bridgev2.EventSender{Sender: networkid.UserID(contact)}, CreatePortal: true, Timestamp: time.Now(),
		},
		ID: networkid.MessageID("hello of " + contact), Data: "hello",
		ConvertMessageFunc: func(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, text string) (*bridgev2.ConvertedMessage, error) {
			return &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
				Type: event.EventMessage, Content: &event.MessageEventContent{MsgType: event.MsgText, Body: text},
			}}}, nil
		},
	})
	if !result.Success {
		return fmt.Errorf("the room of %s was not made: %w", contact, result.Error)
	}
	return nil
}

// place is where a bridge runs: the same for all its runs.
type place struct {
	HomeserverURL, Domain, PuppetToken string
	ASToken, HSToken, ID               string
	Port                               uint16
	Dir                                string
}

// newPlace registers a bridge at a homeserver.
func newPlace(t testing.TB, hs *homeserver.Server) (place, *homeserver.Appservice) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	must(t, listener.Close())
	reg, as, err := hs.Registration(fmt.Sprintf("http://127.0.0.1:%d", port))
	must(t, err)
	token, err := hs.DoublePuppeting()
	must(t, err)
	return place{
		HomeserverURL: hs.URL(), Domain: hs.Domain(), PuppetToken: token,
		ASToken: reg.AppToken, HSToken: reg.ServerToken, ID: reg.ID, Port: port, Dir: t.TempDir(),
	}, as
}

func openBridgeDB(p place) (*dbutil.Database, error) {
	return dbutil.NewFromConfig("test", dbutil.Config{PoolConfig: dbutil.PoolConfig{
		Type: "sqlite3-fk-wal", URI: "file:" + filepath.Join(p.Dir, "bridge.db") + "?_txlock=immediate", MaxOpenConns: 5, MaxIdleConns: 1,
	}}, nil)
}

// run is one run of a bridge.
type run struct {
	net       *trayNetwork
	br        *bridgev2.Bridge
	connector *matrix.Connector
	db        *database.Database
	raw       *dbutil.Database
	inbox     *inbox.Inbox
	stop      func()
}

// prepare makes a bridge with an inbox, as PostInit does; start starts it.
func prepare(ctx context.Context, p place, cfg inbox.Config, crypto matrix.Crypto) (*run, error) {
	config := &bridgeconfig.Config{
		Homeserver: bridgeconfig.HomeserverConfig{Address: p.HomeserverURL, Domain: p.Domain, Software: bridgeconfig.SoftwareStandard, RetryLimit: 4},
		AppService: bridgeconfig.AppserviceConfig{
			Address: fmt.Sprintf("http://127.0.0.1:%d", p.Port), Hostname: "127.0.0.1", Port: p.Port, ID: p.ID, ASToken: p.ASToken, HSToken: p.HSToken,
			Bot: bridgeconfig.BotUserConfig{Username: "messengerbot"}, UsernameTemplate: "messenger_{{.}}", EphemeralEvents: true,
		},
		Bridge: bridgeconfig.BridgeConfig{
			CommandPrefix: "!tray", PrivateChatPortalMeta: true, BridgeMatrixLeave: true, // PortalEventBuffer 0: synchronous
			Permissions: bridgeconfig.PermissionConfig{p.Domain: &bridgeconfig.PermissionLevelUser},
		},
		DoublePuppet: bridgeconfig.DoublePuppetConfig{Secrets: map[string]string{p.Domain: "as_token:" + p.PuppetToken}},
	}
	raw, err := openBridgeDB(p)
	if err != nil {
		return nil, err
	}
	r := &run{raw: raw, db: database.New(raw, zerolog.Nop()), connector: matrix.NewConnector(config)}
	r.net = &trayNetwork{db: r.db, changed: make(chan struct{})}
	r.br = bridgev2.NewBridge("", raw, zerolog.Nop(), &config.Bridge, r.connector, r.net, commands.NewProcessor)
	if err = r.db.Upgrade(ctx); err != nil {
		return nil, err
	}
	r.connector.Crypto = crypto
	cfg.Connector, cfg.DB, cfg.Log = r.connector, r.db, zerolog.Nop()
	r.inbox = inbox.New(cfg)
	r.inbox.Install()
	r.stop = sync.OnceFunc(func() {
		r.inbox.Stop()
		r.db.Close()
		r.br.Stop()
	})
	return r, r.inbox.Start(ctx)
}

func (r *run) start(ctx context.Context) error {
	if err := r.br.StartConnectors(ctx); err != nil {
		return err
	}
	return r.br.StartLogins(ctx)
}

// login signs a person in, once per place, and makes rooms with contacts.
func (r *run) login(ctx context.Context, person id.UserID, contacts ...string) error {
	user, err := r.br.GetUserByMXID(ctx, person)
	if err != nil {
		return err
	}
	login, err := user.NewLogin(ctx, &bridgedb.UserLogin{ID: "me", RemoteName: "me"}, nil)
	if err != nil {
		return err
	}
	client, ok := login.Client.(*trayClient)
	if !ok {
		return errors.New("the login has no client")
	}
	for _, contact := range contacts {
		if err = client.say(contact); err != nil {
			return err
		}
	}
	return nil
}

// world is a homeserver with a person, and a bridge at it.
type world struct {
	testing.TB
	hs    *homeserver.Server
	as    *homeserver.Appservice
	ann   *homeserver.User
	place place
	*run
	rooms  map[string]id.RoomID // by contact
	crypto matrix.Crypto        // nil: none
}

// newWorld starts a bridge with rooms for the contacts; its inbox is not ready when the function returns.
func newWorld(t testing.TB, cfg inbox.Config, contacts ...string) *world {
	t.Helper()
	return newSealedWorld(t, nil, cfg, contacts...)
}

// newSealedWorld is newWorld with an encryption.
func newSealedWorld(t testing.TB, crypto matrix.Crypto, cfg inbox.Config, contacts ...string) *world {
	t.Helper()
	w := &world{TB: t, crypto: crypto, hs: homeserver.Start(t, homeserver.Options{PushRetryMax: 50 * time.Millisecond}), rooms: make(map[string]id.RoomID)}
	w.ann = w.hs.User("ann")
	w.place, w.as = newPlace(t, w.hs)
	w.as.Hold(true)
	w.restart(cfg)
	must(t, w.login(t.Context(), w.ann.ID, contacts...))
	for _, contact := range contacts {
		portal, err := w.br.GetExistingPortalByKey(t.Context(), networkid.PortalKey{ID: networkid.PortalID(contact), Receiver: "me"})
		must(t, err)
		w.rooms[contact] = portal.MXID
	}
	w.as.Hold(false)
	return w
}

// restart stops the bridge, if it runs, and starts it again.
func (w *world) restart(cfg inbox.Config) {
	w.Helper()
	if w.run != nil {
		w.stop()
	}
	var err error
	w.run, err = prepare(w.Context(), w.place, cfg, w.crypto)
	must(w.TB, err)
	w.Cleanup(w.stop)
	must(w.TB, w.start(w.Context()))
}

func (w *world) send(contact, text string) id.EventID {
	w.Helper()
	evt, err := w.ann.SendText(w.rooms[contact], text)
	must(w.TB, err)
	return evt
}

// settled waits until the homeserver has got rid of everything.
func (w *world) settled() {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	must(w.TB, w.as.WaitIdle(ctx))
}

// eventually waits for something that has no event; the deadline is a safety net.
func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
