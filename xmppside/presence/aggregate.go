package presence

import (
	"hash/maphash"
	"slices"
)

// MaxResources is how many resources of one contact are told apart; a person has few, so more are an error or an attack.
const MaxResources = 16

// Aggregate combines the resources of one contact into one state: the most available one wins (Chat, Online, DND, Away,
// XA, in this order), among equals the one heard from last. The zero value is an offline contact. Its owner must not use
// it from several goroutines at once, and must not use a copy beside the original.
//
// When a stream ends, MarkStale keeps what is shown; the next stream's presence replaces it, contact by contact, and
// Expire ends the grace time for those of whom nothing was heard (messenger-protocol.md 8).
//
// It is small, because there are half a million of them in a busy bridge: 40 bytes for a contact with one resource, and
// the text of the status.
type Aggregate struct {
	// last is the resource heard from last. With nobody there it holds the status of the last one that left, which is
	// shown while offline.
	last resource
	// more are the other resources, the one heard from last at the end; nil for none.
	more *[]resource
}

// resource is one that is available. Its name is only compared, so a hash stands for it.
type resource struct {
	status string
	name   uint64
	show   showCode
	here   bool
	stale  bool
}

// shows are the values of Show by their codes.
var shows = [...]Show{Online, Chat, Away, DND, XA}

type showCode uint8

func codeOf(show Show) showCode { return showCode(max(0, slices.Index(shows[:], show))) }

func (r resource) state() State {
	return State{Available: r.here, Show: shows[r.show], Status: r.status}
}

// nameSeed need not outlive the process.
var nameSeed = maphash.MakeSeed()

func hashName(name string) uint64 { return maphash.String(nameSeed, name) }

// list gives the resources in the order of the last word, in room that the caller has.
func (a *Aggregate) list(room []resource) []resource {
	if a.more != nil {
		room = append(room, *a.more...)
	}
	if a.last.here {
		room = append(room, a.last)
	}
	return room
}

// set stores them. With none left, the status of the last to leave stays.
func (a *Aggregate) set(all []resource, parting string) {
	a.last, a.more = resource{status: parting}, nil
	if len(all) == 0 {
		return
	}
	a.last = all[len(all)-1]
	if len(all) > 1 {
		more := slices.Clone(all[:len(all)-1])
		a.more = &more
	}
}

// Update takes the state of one resource and says whether the contact as a whole looks different now. The name is the
// JID's resourcepart; presence of the bare JID has the empty one, and when that is unavailable, the whole contact is.
func (a *Aggregate) Update(name string, s State) (changed bool) {
	before, parting := a.State(), a.parting()
	var room [MaxResources + 1]resource
	all, who := a.list(room[:0]), hashName(name)
	if !s.Available && name == "" {
		all = all[:0]
	}
	// The first word from a new stream: all that the old one said of this contact is superseded.
	all = slices.DeleteFunc(all, func(r resource) bool { return r.name == who || r.stale })
	switch {
	case s.Available:
		if len(all) >= MaxResources {
			all = drop(all)
		}
		all = append(all, resource{name: who, status: s.Status, show: codeOf(s.Show), here: true})
	case len(all) == 0:
		parting = s.Status
	}
	a.set(all, parting)
	return a.State() != before
}

// drop removes the least available resource, the oldest of them.
func drop(all []resource) []resource {
	least := 0
	for i, r := range all {
		if r.state().rank() < all[least].state().rank() {
			least = i
		}
	}
	return slices.Delete(all, least, least+1)
}

// parting is what the last one said who left.
func (a *Aggregate) parting() string {
	if a.last.here {
		return ""
	}
	return a.last.status
}

// State is the contact's state as a whole.
func (a *Aggregate) State() State {
	best := a.last.state()
	if a.more == nil {
		return best
	}
	for _, r := range slices.Backward(*a.more) {
		if state := r.state(); state.rank() > best.rank() {
			best = state
		}
	}
	return best
}

// Resources is how many resources are available.
func (a *Aggregate) Resources() int {
	var room [MaxResources + 1]resource
	return len(a.list(room[:0]))
}

// MarkStale notes that the stream has ended that told all this. What is shown does not change.
func (a *Aggregate) MarkStale() {
	a.last.stale = a.last.here
	if a.more != nil {
		for i := range *a.more {
			(*a.more)[i].stale = true
		}
	}
}

// Expire drops what is stale and says whether the contact looks different now.
func (a *Aggregate) Expire() (changed bool) {
	before, parting := a.State(), a.parting()
	var room [MaxResources + 1]resource
	a.set(slices.DeleteFunc(a.list(room[:0]), func(r resource) bool { return r.stale }), parting)
	return a.State() != before
}
