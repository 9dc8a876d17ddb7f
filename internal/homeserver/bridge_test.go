package homeserver_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/rs/zerolog"
	"go.mau.fi/util/configupgrade"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/freeport"
	"matrix-messenger/internal/homeserver"
)

// echoNetwork is the smallest network: one login per user, what is said is remembered.
type echoNetwork struct {
	br *bridgev2.Bridge

	mu    sync.Mutex
	got   []string
	fresh chan struct{}
}

func (n *echoNetwork) Init(br *bridgev2.Bridge)    { n.br = br }
func (n *echoNetwork) Start(context.Context) error { return nil }
func (n *echoNetwork) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Echo", NetworkURL: "https://echo.example", NetworkID: "echo", BeeperBridgeType: "echo", DefaultPort: 1}
}
func (n *echoNetwork) GetDBMetaTypes() database.MetaTypes { return database.MetaTypes{} }
func (n *echoNetwork) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (n *echoNetwork) GetConfig() (string, any, configupgrade.Upgrader) { return "", nil, nil }
func (n *echoNetwork) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	login.Client = &echoClient{n, login}
	return nil
}
func (n *echoNetwork) GetLoginFlows() []bridgev2.LoginFlow { return nil }
func (n *echoNetwork) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, bridgev2.ErrInvalidLoginFlowID
}
func (n *echoNetwork) GetBridgeInfoVersion() (int, int) { return 1, 1 }

func (n *echoNetwork) received() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.got...)
}

func (n *echoNetwork) waitFor(ctx context.Context, t *testing.T, count int) []string {
	t.Helper()
	for {
		if got := n.received(); len(got) >= count {
			return got
		}
		select {
		case <-n.fresh:
		case <-ctx.Done():
			t.Fatalf("the network got %q, want %d messages", n.received(), count)
		}
	}
}

type echoClient struct {
	net   *echoNetwork
	login *bridgev2.UserLogin
}

func (c *echoClient) Connect(context.Context)                                  {}
func (c *echoClient) Disconnect()                                              {}
func (c *echoClient) LogoutRemote(context.Context)                             {}
func (c *echoClient) IsLoggedIn() bool                                         { return true }
func (c *echoClient) IsThisUser(_ context.Context, user networkid.UserID) bool { return user == "me" }

func (c *echoClient) GetChatInfo(_ context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	dm, contact := database.RoomTypeDM, networkid.UserID(portal.ID)
	members := bridgev2.ChatMemberMap{}
	members.Set(bridgev2.ChatMember{EventSender: bridgev2.EventSender{IsFromMe: true, SenderLogin: c.login.ID, Sender: "me"}})
	members.Set(bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: contact}})
	return &bridgev2.ChatInfo{Type: &dm, Members: &bridgev2.ChatMemberList{IsFull: true, OtherUserID: contact, MemberMap: members}}, nil
}

func (c *echoClient) GetUserInfo(_ context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	name := "Name of " + string(ghost.ID)
	return &bridgev2.UserInfo{Name: &name}, nil
}

func (c *echoClient) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return &event.RoomFeatures{ID: "echo"}
}

func (c *echoClient) HandleMatrixMessage(_ context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	c.net.mu.Lock()
	c.net.got = append(c.net.got, msg.Content.Body)
	c.net.mu.Unlock()
	select {
	case c.net.fresh <- struct{}{}:
	default:
	}
	return &bridgev2.MatrixMessageResponse{DB: &database.Message{ID: networkid.MessageID(msg.Event.ID), SenderID: "me"}}, nil
}

// say delivers a message of the contact to the login's chat with it.
func (c *echoClient) say(contact, msgID, text string) bridgev2.EventHandlingResult {
	return c.login.QueueRemoteEvent(&simplevent.Message[string]{
		EventMeta: simplevent.EventMeta{
			Type: bridgev2.RemoteEventMessage, PortalKey: networkid.PortalKey{ID: networkid.PortalID(contact), Receiver: c.login.ID},
			Sender: bridgev2.EventSender{Sender: networkid.UserID(contact)}, CreatePortal: true, Timestamp: time.Now(),
		},
		ID: networkid.MessageID(msgID), Data: text,
		ConvertMessageFunc: func(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, text string) (*bridgev2.ConvertedMessage, error) {
			return &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
				Type: event.EventMessage, Content: &event.MessageEventContent{MsgType: event.MsgText, Body: text},
			}}}, nil
		},
	})
}

// echoBridge is a running bridge between a homeserver and the echo network.
type echoBridge struct {
	hs  *homeserver.Server
	as  *homeserver.Appservice
	net *echoNetwork
	br  *bridgev2.Bridge
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	port, err := freeport.Find("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return uint16(port)
}

func startBridge(ctx context.Context, t *testing.T, hs *homeserver.Server) *echoBridge {
	t.Helper()
	port := freePort(t)
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	reg, as, err := hs.Registration(address)
	if err != nil {
		t.Fatal(err)
	}
	puppetToken, err := hs.DoublePuppeting()
	if err != nil {
		t.Fatal(err)
	}
	cfg := &bridgeconfig.Config{
		Homeserver: bridgeconfig.HomeserverConfig{Address: hs.URL(), Domain: hs.Domain(), Software: bridgeconfig.SoftwareStandard, RetryLimit: 4},
		AppService: bridgeconfig.AppserviceConfig{
			Address: address, Hostname: "127.0.0.1", Port: port, ID: reg.ID, ASToken: reg.AppToken, HSToken: reg.ServerToken,
			Bot: bridgeconfig.BotUserConfig{Username: "messengerbot", Displayname: "Bridge bot"}, UsernameTemplate: "messenger_{{.}}", EphemeralEvents: true,
		},
		Bridge: bridgeconfig.BridgeConfig{
			CommandPrefix: "!echo", PrivateChatPortalMeta: true, BridgeMatrixLeave: true,
			Permissions: bridgeconfig.PermissionConfig{hs.Domain(): &bridgeconfig.PermissionLevelUser},
		},
		DoublePuppet: bridgeconfig.DoublePuppetConfig{Secrets: map[string]string{hs.Domain(): "as_token:" + puppetToken}},
	}
	log := zerolog.Nop()
	if testing.Verbose() {
		log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	}
	db, err := dbutil.NewFromConfig("test", dbutil.Config{PoolConfig: dbutil.PoolConfig{
		Type: "sqlite3-fk-wal", URI: "file:" + filepath.Join(t.TempDir(), "bridge.db") + "?_txlock=immediate", MaxOpenConns: 2, MaxIdleConns: 1,
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	network := &echoNetwork{fresh: make(chan struct{}, 1)}
	connector := matrix.NewConnector(cfg)
	br := bridgev2.NewBridge("", db, log, &cfg.Bridge, connector, network, commands.NewProcessor)
	if err = br.StartConnectors(ctx); err == nil {
		err = br.StartLogins(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(br.Stop)
	return &echoBridge{hs: hs, as: as, net: network, br: br}
}

// login signs a person in to the echo network.
func (b *echoBridge) login(ctx context.Context, t *testing.T, person *homeserver.User) *echoClient {
	t.Helper()
	user, err := b.br.GetUserByMXID(ctx, person.ID)
	if err != nil {
		t.Fatal(err)
	}
	login, err := user.NewLogin(ctx, &database.UserLogin{ID: networkid.UserLoginID(person.ID), RemoteName: "me"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return login.Client.(*echoClient)
}

func ghost(hs *homeserver.Server, contact string) id.UserID {
	return id.NewUserID("messenger_"+contact, hs.Domain())
}
