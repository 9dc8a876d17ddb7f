package bridge

import (
	"fmt"
	"runtime"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"mellium.im/xmpp/jid"

	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
	wire "matrix-messenger/xmppside/presence"
)

// quietClient is a client whose presences go nowhere.
func quietClient() *Client {
	c := &Connector{Config: config.Config{Domain: "messenger.live.com", Presence: config.Presence{ToMatrix: false}}}
	cl := &Client{c: c, login: &bridgev2.UserLogin{UserLogin: &bridgedb.UserLogin{ID: "me@messenger.live.com"}}}
	cl.presence = newPresence(cl)
	return cl
}

// BenchmarkPresenceMemory measures what an account with 50 contacts takes, all of them online or all offline (design.md section 6).
func BenchmarkPresenceMemory(b *testing.B) {
	for name, available := range map[string]bool{"online": true, "offline": false} {
		b.Run(name, func(b *testing.B) {
			const accounts = 1000
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				clients := make([]*Client, accounts)
				for i := range clients {
					clients[i] = quietClient()
					for k := range 50 {
						from := jid.MustParse(fmt.Sprintf("%d-%d@messenger.live.com/a3f1c2d4-0000-0000-0000-%012d", i, k, k))
						clients[i].presence.received(xmppside.PresenceUpdate{From: from, State: wire.State{Available: available, Show: wire.Away}})
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/accounts, "B/account")
				runtime.KeepAlive(clients)
			}
		})
	}
}

// BenchmarkUnchangedPresence measures the common case: a stanza that says what is known.
func BenchmarkUnchangedPresence(b *testing.B) {
	cl := quietClient()
	ev := xmppside.PresenceUpdate{From: jid.MustParse("mary@messenger.live.com/x"), State: wire.State{Available: true, Show: wire.Away, Status: "at lunch"}}
	cl.presence.received(ev)
	for b.Loop() {
		cl.presence.received(ev)
	}
}
