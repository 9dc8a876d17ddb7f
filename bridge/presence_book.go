package bridge

import (
	"slices"
	"strings"

	wire "matrix-messenger/xmppside/presence"
)

// presenceBook is what an account's contacts show, by bare JID. It is a sorted list, not a map, and knows the people of the service by the part before the @ alone: with ten
// thousand accounts of fifty contacts, half a million entries, every byte of one is half a megabyte.
type presenceBook struct {
	domain string // the service's
	list   []bookEntry
}

type bookEntry struct {
	who string // see short
	wire.Aggregate
}

// short is a bare JID as it is kept: without the service's own domain, and anything else that has no @ with one before it, so that it is not taken for a person of the service.
func (b *presenceBook) short(who string) string {
	local, domain, found := strings.Cut(who, "@")
	switch {
	case !found:
		return "@" + who
	case local != "" && domain == b.domain:
		return local
	}
	return who
}

// long undoes short.
func (b *presenceBook) long(short string) string {
	if who, domainOnly := strings.CutPrefix(short, "@"); domainOnly {
		return who
	}
	if strings.Contains(short, "@") {
		return short
	}
	return short + "@" + b.domain
}

func (b *presenceBook) find(short string) (at int, found bool) {
	return slices.BinarySearchFunc(b.list, short, func(e bookEntry, who string) int { return strings.Compare(e.who, who) })
}

// get is what is known of somebody, nil for nothing. It is good until the next change.
func (b *presenceBook) get(who string) *wire.Aggregate {
	at, found := b.find(b.short(who))
	if !found {
		return nil
	}
	return &b.list[at].Aggregate
}

// open is get that makes an entry of somebody unknown.
func (b *presenceBook) open(who string) *wire.Aggregate {
	short := b.short(who)
	at, found := b.find(short)
	if !found {
		if len(b.list) == cap(b.list) {
			// Not twice the room: most lists are small and stay as they are.
			b.list = append(make([]bookEntry, 0, len(b.list)+max(4, len(b.list)/8)), b.list...)
		}
		// A copy, as the name is a part of a longer text.
		b.list = slices.Insert(b.list, at, bookEntry{who: strings.Clone(short)})
	}
	return &b.list[at].Aggregate
}

// remove forgets somebody.
func (b *presenceBook) remove(who string) {
	if at, found := b.find(b.short(who)); found {
		b.list = slices.Delete(b.list, at, at+1)
	}
	b.shrink()
}

// prune forgets everybody who is plain offline.
func (b *presenceBook) prune() {
	b.list = slices.DeleteFunc(b.list, func(e bookEntry) bool { return isPlainOffline(&e.Aggregate) })
	b.shrink()
}

// shrink gives the room back that a longer list had.
func (b *presenceBook) shrink() {
	if len(b.list) == 0 {
		b.list = nil
	} else if len(b.list) < cap(b.list)/2 {
		b.list = slices.Clone(b.list)
	}
}

// each goes through everybody; f must not change the book.
func (b *presenceBook) each(f func(who string, a *wire.Aggregate)) {
	for i := range b.list {
		f(b.long(b.list[i].who), &b.list[i].Aggregate)
	}
}

// isPlainOffline tells that there is nothing to remember.
func isPlainOffline(a *wire.Aggregate) bool {
	return a.State() == (wire.State{}) && a.Resources() == 0
}
