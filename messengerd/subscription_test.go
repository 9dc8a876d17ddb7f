package messengerd

import (
	"strings"
	"testing"
)

// The tables of protocol 6.4, copied from the document: the code's own tables
// are compared with them cell by cell.
const outboundDocument = `
N | route, N+O | route, = | drop, = | drop, =
N+O | route, = | route, N † | drop, = | drop, =
N+I | route, N+OI | route, = | route, F | route, N
N+OI | route, = | route, N+I † | route, F+O | route, N+O
T | route, = | route, N † | drop, = | drop, =
T+I | route, = | route, N+I † | route, B | route, T
F | route, F+O | route, = | drop, = | route, N †
F+O | route, = | route, F † | drop, = | route, N+O †
B | route, = | route, F † | drop, = | route, T †`

const inboundDocument = `
N | deliver, N+I | drop, = | drop, = | drop, =
N+O | deliver, N+OI | drop, = | deliver, T | deliver, N
N+I | drop, = | deliver, N | drop, = | drop, =
N+OI | drop, = | deliver, N+O | deliver, T+I | deliver, N+I
T | deliver, T+I | drop, = | drop, = | deliver, N
T+I | drop, = | deliver, T | drop, = | deliver, N+I
F | drop, =, reply | deliver, N | drop, = | drop, =
F+O | drop, =, reply | deliver, N+O | deliver, B | deliver, F
B | drop, =, reply | deliver, T | drop, = | deliver, F`

var tableColumns = []string{"subscribe", "unsubscribe", "subscribed", "unsubscribed"}

func documentCells(t *testing.T, document string, visit func(state subState, kind, cell string)) {
	n := 0
	for line := range strings.SplitSeq(strings.TrimSpace(document), "\n") {
		fields := strings.Split(line, " | ")
		for i, kind := range tableColumns {
			visit(subState(fields[0]), kind, fields[i+1])
			n++
		}
	}
	if n != 36 {
		t.Fatalf("%d cells", n)
	}
}

func nextIn(cell string) subState {
	if strings.Contains(cell, "=") {
		return ""
	}
	return subState(strings.Fields(cell)[1])
}

func TestTheTablesAreThoseOfTheProtocol(t *testing.T) {
	documentCells(t, outboundDocument, func(state subState, kind, cell string) {
		want := outRule{route: strings.HasPrefix(cell, "route"), next: nextIn(cell), refused: strings.HasSuffix(cell, "†")}
		if got := outbound[state][kind]; got != want {
			t.Errorf("outbound %s %s: %+v, document %s", state, kind, got, cell)
		}
	})
	documentCells(t, inboundDocument, func(state subState, kind, cell string) {
		want := inRule{deliver: strings.HasPrefix(cell, "deliver"), next: nextIn(cell), reply: strings.HasSuffix(cell, "reply")}
		if got := inbound[state][kind]; got != want {
			t.Errorf("inbound %s %s: %+v, document %s", state, kind, got, cell)
		}
	})
}

// TestEveryCellOfTheTablesIsActedOn runs each cell through two accounts.
func TestEveryCellOfTheTablesIsActedOn(t *testing.T) {
	newPair := func(state subState) (*Account, *Account) {
		cfg := DefaultConfig()
		cfg.Switches.MutualContacts = false
		cfg.Accounts = []AccountConfig{{JID: "a@messenger.live.com"}, {JID: "b@messenger.live.com"}}
		s, err := newServer(cfg, &certificates{})
		if err != nil {
			t.Fatal(err)
		}
		a, b := s.Account("a@messenger.live.com"), s.Account("b@messenger.live.com")
		if state != stateN {
			a.setItem(b.jid, "", nil, state, "")
		}
		return a, b
	}
	stateOf := func(a *Account, with string) subState {
		if i := a.roster[with]; i != nil {
			return i.state
		}
		return stateN
	}
	documentCells(t, outboundDocument, func(state subState, kind, cell string) {
		for _, ordinary := range []bool{false, true} {
			a, b := newPair(state)
			want := nextIn(cell)
			refused := strings.HasSuffix(cell, "†") && !ordinary
			if want == "" || refused {
				want = state
			}
			if ok := a.subscribeOut(kind, b.jid, invitation{}, ordinary); ok == refused {
				t.Errorf("outbound %s %s: refused %v", state, kind, !ok)
			}
			if got := stateOf(a, b.key); got != want {
				t.Errorf("outbound %s %s: %s, want %s", state, kind, got, want)
			}
		}
	})
	documentCells(t, inboundDocument, func(state subState, kind, cell string) {
		a, b := newPair(state)
		want := nextIn(cell)
		if want == "" {
			want = state
		}
		a.subscribeIn(kind, b, invitation{})
		if got := stateOf(a, b.key); got != want {
			t.Errorf("inbound %s %s: %s, want %s", state, kind, got, want)
		}
	})
}
