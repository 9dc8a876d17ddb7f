package bridge

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// errNoRoomAllowed says that the administrator does not want the chat to have a room.
var errNoRoomAllowed = errors.New("the administrator's filter allows no room for this chat")

// reasonFiltered is the reason of what is set aside therefore.
const reasonFiltered = "filtered"

const noticeFiltered = "A message from %s of %s is not shown, because the administrator of the bridge does not allow a room for this chat. " +
	"The bridge keeps it for %d days, and others of this chat likewise, without telling you of each. " +
	"If you want to have the chat, please ask your administrator; the bridge tries again by itself when it is allowed."

// roomFilter is which chats may have rooms: the framework's section `portal_create_filter` and what its command `filter` has
// changed since. The framework asks it when an event of a chat without room comes in, and rooms are made before that here.
// It changes its list without a lock, so others read a copy.
type roomFilter struct {
	command sync.Mutex // held while the command changes the framework's list
	copied  atomic.Pointer[bridgeconfig.PortalCreateFilter]
}

// use takes over the filter as it is now.
func (f *roomFilter) use(filter bridgeconfig.PortalCreateFilter) {
	filter.List = slices.Clone(filter.List)
	f.copied.Store(&filter)
}

// allows tells whether a chat may get a room.
func (f *roomFilter) allows(key networkid.PortalKey) bool {
	filter := f.copied.Load()
	return filter == nil || filter.ShouldAllow(key.Receiver, key)
}

// filterCommand is the framework's `filter`, whose changes count from then on: what was kept back of a chat that is allowed
// now is shown.
func (c *Connector) filterCommand() commands.CommandHandler {
	handler := *commands.CommandFilter
	handler.Func = func(ce *commands.Event) {
		if len(ce.Args) > 1 {
			ce.Args[1] = strings.ToLower(ce.Args[1])
		}
		c.filter.command.Lock()
		commands.CommandFilter.Func(ce)
		c.filter.use(ce.Bridge.Config.PortalCreateFilter)
		c.filter.command.Unlock()
		if len(ce.Args) < 2 {
			return
		}
		for _, client := range c.allClients() {
			if !c.filter.allows(portalKey(client.login.ID, ce.Args[1])) {
				continue
			}
			if _, err := client.inbound.retry(ce.Ctx, ce.Args[1]); err != nil {
				ce.Log.Err(err).Msg("What was kept back of a chat cannot be shown yet")
			}
			client.people.kick()
		}
	}
	return &handler
}
