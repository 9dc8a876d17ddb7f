package presence

import "slices"

// MaxResources is how many resources of one contact are told apart; a person has few, so more are an error or an attack.
const MaxResources = 16

// Aggregate combines the resources of one contact into one state: the most available one wins (Chat, Online, DND, Away,
// XA, in this order), among equals the one heard from last. The zero value is an offline contact. Its owner must not use
// it from several goroutines at once.
//
// When a stream ends, MarkStale keeps what is shown; the next stream's presence replaces it, contact by contact, and
// Expire ends the grace time for those of whom nothing was heard (messenger-protocol.md 8).
type Aggregate struct {
	// resources that are available, the one heard from last at the end.
	resources []resource
	// parting is the status of the last resource that left, shown while offline.
	parting string
}

type resource struct {
	name  string
	state State
	stale bool
}

// Update takes the state of one resource and says whether the contact as a whole looks different now. The name is the
// JID's resourcepart; presence of the bare JID has the empty one, and when that is unavailable, the whole contact is.
func (a *Aggregate) Update(name string, s State) (changed bool) {
	before := a.State()
	// The first word from a new stream: all that the old one said of this contact is superseded.
	if !s.Available && name == "" {
		a.resources = nil
	}
	a.resources = slices.DeleteFunc(a.resources, func(r resource) bool { return r.name == name || r.stale })
	switch {
	case s.Available:
		if len(a.resources) >= MaxResources {
			a.drop()
		}
		a.resources = append(a.resources, resource{name: name, state: s})
		a.parting = ""
	case len(a.resources) == 0:
		a.resources = nil // ten thousand offline contacts hold no memory
		a.parting = s.Status
	}
	return a.State() != before
}

// drop removes the least available resource, the oldest of them.
func (a *Aggregate) drop() {
	least := 0
	for i, r := range a.resources {
		if r.state.rank() < a.resources[least].state.rank() {
			least = i
		}
	}
	a.resources = slices.Delete(a.resources, least, least+1)
}

// State is the contact's state as a whole.
func (a *Aggregate) State() State {
	best := State{Status: a.parting}
	for _, r := range a.resources {
		if r.state.rank() >= best.rank() {
			best = r.state
		}
	}
	return best
}

// Resources is how many resources are available.
func (a *Aggregate) Resources() int { return len(a.resources) }

// MarkStale notes that the stream has ended that told all this. What is shown does not change.
func (a *Aggregate) MarkStale() {
	for i := range a.resources {
		a.resources[i].stale = true
	}
}

// Expire drops what is stale and says whether the contact looks different now.
func (a *Aggregate) Expire() (changed bool) {
	before := a.State()
	a.resources = slices.DeleteFunc(a.resources, func(r resource) bool { return r.stale })
	if len(a.resources) == 0 {
		a.resources = nil
	}
	return a.State() != before
}
