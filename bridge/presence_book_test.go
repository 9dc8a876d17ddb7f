package bridge

import (
	"fmt"
	"math/rand/v2"
	"testing"

	wire "matrix-messenger/xmppside/presence"
)

func TestThePresenceBookIsAMap(t *testing.T) {
	book := presenceBook{domain: "messenger.live.com"}
	want := map[string]wire.State{}
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"messenger.live.com", "mary@other.example", "@odd", "mary@messenger.live.com@x", "mary"}
	for i := range 40 {
		names = append(names, fmt.Sprintf("%x@messenger.live.com", i))
	}
	for range 4000 {
		who := names[random.IntN(len(names))]
		if random.IntN(3) == 0 {
			book.remove(who)
			delete(want, who)
		} else {
			state := wire.State{Available: true, Status: fmt.Sprint(random.IntN(3))}
			book.open(who).Update("", state)
			want[who] = state
		}
		if len(book.list) != len(want) || len(want) == 0 && book.list != nil {
			t.Fatalf("%d entries instead of %d", len(book.list), len(want))
		}
		for _, who := range names {
			state, known := want[who]
			if got := book.get(who); (got != nil) != known || known && got.State() != state {
				t.Fatalf("%s: %v instead of %v", who, got, state)
			}
		}
	}
	seen := map[string]bool{}
	book.each(func(who string, a *wire.Aggregate) {
		seen[who] = true
		if a.State() != want[who] {
			t.Errorf("%s shows %v", who, a.State())
		}
	})
	if len(seen) != len(want) {
		t.Errorf("%d of %d were gone through", len(seen), len(want))
	}
	for who := range want {
		book.get(who).Update("", wire.State{})
	}
	if book.prune(); book.list != nil {
		t.Errorf("%d who are offline are kept", len(book.list))
	}
}
