package bridge

import (
	"context"

	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
)

// GetChatInfo implements bridgev2.NetworkAPI: every chat is a direct one of the user and the contact.
func (cl *Client) GetChatInfo(_ context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	return cl.chatInfo(string(portal.ID)), nil
}

func (cl *Client) chatInfo(contact string) *bridgev2.ChatInfo {
	direct := bridgedb.RoomTypeDM
	me := bridgev2.EventSender{IsFromMe: true, SenderLogin: cl.login.ID, Sender: cl.GetUserID()}
	members := bridgev2.ChatMemberMap{
		me.Sender: {EventSender: me, Membership: event.MembershipJoin},
	}
	other := userID(contact)
	if other != me.Sender {
		members[other] = bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: other}, Membership: event.MembershipJoin}
	}
	return &bridgev2.ChatInfo{
		Type: &direct,
		Members: &bridgev2.ChatMemberList{
			IsFull: true, TotalMemberCount: len(members), OtherUserID: other, MemberMap: members,
		},
		ExtraUpdates: cl.history.earlier(contact),
	}
}

// GetCapabilities implements bridgev2.NetworkAPI: what works in a room. The value is shared and never changed after it is made.
func (cl *Client) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return cl.c.features()
}

// GetCapabilities implements bridgev2.NetworkConnector: what works on the network as a whole.
func (c *Connector) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{
		Provisioning: bridgev2.ProvisioningCapabilities{
			ResolveIdentifier: bridgev2.ResolveIdentifierCapabilities{
				CreateDM: true, LookupEmail: true, LookupUsername: true, ContactList: true, Search: true,
			},
		},
	}
}

// longestText is the longest text that is taken, in bytes: beyond some thirty stanzas a text is a file.
func (c *Connector) longestText() int { return 30 * c.service.Profile().MaxBody() }
