package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/util/configupgrade"
	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix/mxmain"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"

	"matrix-messenger/bridge"
)

// noop is a bridge whose network does nothing: what it costs is what the framework costs. As the framework comes, it keeps what it has not handled in
// memory and answers the homeserver before.
type noop struct {
	br *bridgev2.Bridge

	mu    sync.Mutex
	heard map[string]*arrivals
}

// serveNoop is the role `noop`: the framework's main, and operations like those of the role `service`.
func serveNoop() error {
	n := &noop{heard: map[string]*arrivals{}}
	main := &mxmain.BridgeMain{Name: "bench-noop", Version: "0.0.0", Connector: n}
	main.PostStart = func() {
		go func() {
			_ = operations{"say": operation(n.say), "heard": operation(n.arrived)}.serve() // its end is the parent's
		}()
	}
	main.InitVersion("", "", "")
	main.Run()
	return nil
}

// say lets the contacts write.
func (n *noop) say(t talk) (none, error) {
	for i := range t.Each {
		for _, c := range t.Chats {
			login := n.br.GetCachedUserLoginByID(networkid.UserLoginID(userJID(c.User)))
			if login == nil {
				return none{}, fmt.Errorf("%s is not signed in", userJID(c.User))
			}
			text := stamped(t.Series, i)
			login.QueueRemoteEvent(&simplevent.Message[string]{
				EventMeta: simplevent.EventMeta{
					Type: bridgev2.RemoteEventMessage, PortalKey: networkid.PortalKey{ID: networkid.PortalID(contactJID(c.Contact)), Receiver: login.ID},
					Sender: bridgev2.EventSender{Sender: networkid.UserID(contactJID(c.Contact))}, CreatePortal: true, Timestamp: time.Now(),
				},
				Data: text, ID: networkid.MessageID(fmt.Sprintf("%s-%d-%d-%d", t.Series, c.User, c.Contact, i)),
				ConvertMessageFunc: func(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, text string) (*bridgev2.ConvertedMessage, error) {
					return &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
						Type: event.EventMessage, Content: &event.MessageEventContent{MsgType: event.MsgText, Body: text},
					}}}, nil
				},
			})
			time.Sleep(t.Pause)
		}
	}
	return none{}, nil
}

func (n *noop) arrived(q struct {
	Series string
	Count  bool
},
) (arrivals, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := n.heard[q.Series]
	if found == nil {
		return arrivals{}, nil
	}
	all := *found
	if q.Count {
		all.Said, all.Took = nil, nil
	}
	return all, nil
}

// The connector.

func (n *noop) Init(br *bridgev2.Bridge)  { n.br = br }
func (*noop) Start(context.Context) error { return nil }
func (*noop) GetDBMetaTypes() bridgedb.MetaTypes {
	return bridgedb.MetaTypes{UserLogin: func() any { return &bridge.LoginMetadata{} }}
}

func (*noop) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "No-op", NetworkURL: "https://example.org", NetworkID: "noop", BeeperBridgeType: "noop", DefaultPort: 29999}
}

func (*noop) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (*noop) GetBridgeInfoVersion() (info, capabilities int) { return 1, 1 }

func (*noop) GetConfig() (example string, data any, upgrader configupgrade.Upgrader) {
	return "", nil, nil
}
func (*noop) GetLoginFlows() []bridgev2.LoginFlow { return nil }

func (*noop) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, errors.New("nobody signs in here")
}

func (n *noop) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	login.Client = &noopClient{n, login}
	return nil
}

// noopClient is an account of it.
type noopClient struct {
	n     *noop
	login *bridgev2.UserLogin
}

var _ bridgev2.NetworkAPI = (*noopClient)(nil)

func (*noopClient) Connect(context.Context)      {}
func (*noopClient) Disconnect()                  {}
func (*noopClient) IsLoggedIn() bool             { return true }
func (*noopClient) LogoutRemote(context.Context) {}

func (c *noopClient) IsThisUser(_ context.Context, user networkid.UserID) bool {
	return string(user) == string(c.login.ID)
}

func (c *noopClient) GetChatInfo(_ context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	direct := bridgedb.RoomTypeDM
	me := bridgev2.EventSender{IsFromMe: true, SenderLogin: c.login.ID, Sender: networkid.UserID(c.login.ID)}
	other := networkid.UserID(portal.ID)
	return &bridgev2.ChatInfo{Type: &direct, Members: &bridgev2.ChatMemberList{
		IsFull: true, TotalMemberCount: 2, OtherUserID: other, MemberMap: bridgev2.ChatMemberMap{
			me.Sender: {EventSender: me, Membership: event.MembershipJoin},
			other:     {EventSender: bridgev2.EventSender{Sender: other}, Membership: event.MembershipJoin},
		},
	}}, nil
}

func (*noopClient) GetUserInfo(_ context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	name := string(ghost.ID)
	return &bridgev2.UserInfo{Name: &name}, nil
}

func (*noopClient) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return &event.RoomFeatures{ID: "bench-noop"}
}

// HandleMatrixMessage takes a message without doing anything with it.
func (c *noopClient) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	now := time.Now()
	if _, err := c.n.br.GetGhostByID(ctx, networkid.UserID(c.login.ID)); err != nil {
		return nil, err
	}
	if series, said, ok := readStamp(msg.Content.Body); ok {
		c.n.mu.Lock()
		all := c.n.heard[series]
		if all == nil {
			all = &arrivals{}
			c.n.heard[series] = all
		}
		all.add(said, now)
		c.n.mu.Unlock()
	}
	return &bridgev2.MatrixMessageResponse{DB: &bridgedb.Message{
		ID: networkid.MessageID(msg.Event.ID), SenderID: networkid.UserID(c.login.ID), Timestamp: now,
	}}, nil
}
