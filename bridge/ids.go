package bridge

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"
	"mellium.im/xmpp/jid"
)

// All identifiers are bare JIDs in lower case (design.md section 5), because the service compares them without regard to case. The spelling
// that is sent is kept in the contact table.

// bareID is the identifier of a JID.
func bareID(j jid.JID) string { return strings.ToLower(j.Bare().String()) }

func userID(bare string) networkid.UserID { return networkid.UserID(strings.ToLower(bare)) }

func loginID(bare string) networkid.UserLoginID {
	return networkid.UserLoginID(strings.ToLower(bare))
}

// portalKey is the key of the chat of one login with one contact. Chats are never shared between logins.
func portalKey(login networkid.UserLoginID, contact string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(strings.ToLower(contact)), Receiver: login}
}

// stanzaID is the XMPP ID of a part of a Matrix event. It is a function of the event alone, so that a message that is handed over twice, or sent again after a
// crash, keeps its ID.
func stanzaID(event id.EventID, part int) string {
	sum := sha256.Sum256([]byte(event))
	name := "m" + base64.RawURLEncoding.EncodeToString(sum[:15])
	if part == 0 {
		return name
	}
	return name + "." + strconv.Itoa(part)
}

// messageID is the ID under which the framework knows the message that a Matrix event became: the stanza ID of its first part.
func messageID(event id.EventID) networkid.MessageID {
	return networkid.MessageID(stanzaID(event, 0))
}

// validUserID says whether a ghost can stand for the identifier: a bare JID with a localpart.
func validUserID(user networkid.UserID) bool {
	j, err := jid.Parse(string(user))
	return err == nil && j.Localpart() != "" && j.Resourcepart() == "" && string(user) == strings.ToLower(string(user))
}
