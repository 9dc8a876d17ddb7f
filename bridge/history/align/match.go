package align

import "time"

// Costs of a matching and the times they depend on; the package's documentation explains them.
const (
	tight     = 5 * time.Second        // agreement of times that is normal: transport, whole seconds
	early     = accurate + time.Second // how long before it was written an unconfirmed message may be seen: whole seconds
	edge      = 10 * time.Second       // beyond this a message from before the tail is not looked for in it
	tolerance = 120 * time.Second      // beyond this two messages are never the same

	costMissing = 1.0 // an archived message that matches nothing
	costUnseen  = 3.0 // a certain message that the tail should show and does not
	costTight   = 0.2 // a pair that is tight apart
	costEdge    = 1.0 // a pair that is edge apart
	costFar     = 3.9 // a pair that is tolerance apart: just less than costMissing + costUnseen
	costLate    = 0.9 // an unconfirmed message, seen tolerance after it was written: still less than costMissing
)

// class is what two messages must share to be the same.
type class struct {
	mine bool
	hash Hash
}

// unit is a logged message, or all parts of a split one that the archive shows in one piece.
type unit struct {
	class   class
	entries []int // indexes into the log, in order
	first   time.Time
	last    time.Time
	certain bool // not uncertain
}

// matching is the result for one offset.
type matching struct {
	offset time.Duration
	cost   float64
	// of gives for each archived message the unit it is, nil when it is missing.
	of []*unit
	// at gives for each logged message the archived one it is, -1 when there is none.
	at []int
	// begin is from when on, by the service's clock, the tail shows everything; zero for "always" (an empty tail too).
	begin time.Time
}

// match finds the cheapest matching under one offset.
func (p *problem) match(offset time.Duration) *matching {
	m := &matching{offset: offset, of: make([]*unit, len(p.archive)), at: make([]int, len(p.log)), begin: p.begin()}
	for i := range m.at {
		m.at[i] = -1
	}
	units := p.units(offset)
	logged := make(map[class][]*unit)
	var classes []class // in the order of the log, so that sums of costs do not depend on the order of a map
	for _, u := range units {
		if logged[u.class] == nil {
			classes = append(classes, u.class)
		}
		logged[u.class] = append(logged[u.class], u)
	}
	archived := make(map[class][]int)
	for i, e := range p.archive {
		c := class{e.Mine, e.Hash}
		if archived[c] == nil && logged[c] == nil {
			classes = append(classes, c)
		}
		archived[c] = append(archived[c], i)
	}
	for _, c := range classes {
		m.cost += p.matchClass(m, logged[c], archived[c])
	}
	m.earliest(p, units)
	for i, u := range m.of {
		if u != nil {
			for _, l := range u.entries {
				m.at[l] = i
			}
		}
	}
	return m
}

// earliest makes sure that of unconfirmed messages with one text, written to one stream, the earlier ones are those that
// arrived: a stream is handled in order, so if only one did, it was the first.
func (m *matching) earliest(p *problem, units []*unit) {
	found := make(map[*unit]int)
	for i, u := range m.of {
		if u != nil {
			found[u] = i
		}
	}
	for k, u := range units {
		if _, ok := found[u]; ok || u.certain {
			continue
		}
		for _, later := range units[k+1:] {
			i, ok := found[later]
			if !ok || later.certain || later.class != u.class || p.stream(later) != p.stream(u) {
				continue
			}
			if p.truncated && !u.first.After(m.begin) && later.first.After(m.begin) {
				// The tail need not show the earlier one: it may have arrived all the same.
				continue
			}
			if _, ok := pair(u, p.archive[i]); ok {
				m.of[i] = u
				delete(found, later)
				found[u] = i
				break
			}
		}
	}
}

func (p *problem) stream(u *unit) uint64 { return p.log[u.entries[0]].Stream }

// begin is when the tail begins to show everything. Messages of the very second of the first one may be cut off, and
// clocks agree within tight only.
func (p *problem) begin() time.Time {
	for _, e := range p.archive {
		if e.Time.IsZero() {
			continue
		}
		if p.truncated {
			return e.Time.Add(tight)
		}
		// All there is is in the tail; how long ago the service began to keep messages nobody knows, so only what is
		// close to it is expected there.
		return e.Time.Add(-maxShift)
	}
	return time.Time{}
}

// units are the logged messages as the archive may show them: a split message whose parts it does not know but whose
// whole text it does is one unit.
func (p *problem) units(offset time.Duration) []*unit {
	archived := make(map[class]int)
	for _, e := range p.archive {
		archived[class{e.Mine, e.Hash}]++
	}
	var units []*unit
	for i := 0; i < len(p.log); {
		l := p.log[i]
		end := i + 1
		if l.Group != "" {
			for end < len(p.log) && p.log[end].Group == l.Group {
				end++
			}
		}
		whole := class{l.Mine, l.Whole}
		if end > i+1 && l.Whole != "" && archived[whole] > 0 && !p.anyArchived(archived, i, end) {
			archived[whole]--
			units = append(units, p.unit(whole, i, end, offset))
		} else {
			for k := i; k < end; k++ {
				units = append(units, p.unit(class{p.log[k].Mine, p.log[k].Hash}, k, k+1, offset))
			}
		}
		i = end
	}
	return units
}

func (p *problem) anyArchived(archived map[class]int, from, to int) bool {
	for _, l := range p.log[from:to] {
		if archived[class{l.Mine, l.Hash}] > 0 {
			return true
		}
	}
	return false
}

func (p *problem) unit(c class, from, to int, offset time.Duration) *unit {
	u := &unit{class: c, first: p.log[from].serviceTime(offset), last: p.log[to-1].serviceTime(offset), certain: true}
	for k := from; k < to; k++ {
		u.entries = append(u.entries, k)
		u.certain = u.certain && p.log[k].State != Uncertain
	}
	return u
}

// keys are those of the logged messages of a unit.
func (p *problem) keys(u *unit) []string {
	keys := make([]string, len(u.entries))
	for i, l := range u.entries {
		keys[i] = p.log[l].Key
	}
	return keys
}

// matchClass matches the messages of one class and gives the cost.
func (p *problem) matchClass(m *matching, logged []*unit, archived []int) float64 {
	cost := 0.0
	for _, u := range logged {
		cost += m.unseen(u)
	}
	if len(logged) == 0 || len(archived) == 0 {
		return cost + costMissing*float64(len(archived))
	}
	// Each archived message takes a unit, which is then not unseen, or none.
	costs := make([][]float64, len(archived))
	for a, i := range archived {
		costs[a] = make([]float64, len(logged)+len(archived))
		for l, u := range logged {
			c, ok := pair(u, p.archive[i])
			if p.archive[i].Time.IsZero() {
				// Nothing but the order is left to go by: the last is the last.
				c = costTight * float64(1+abs((len(logged)-l)-(len(archived)-a))) / float64(1+len(logged)+len(archived))
			}
			if !ok {
				c = never
			}
			costs[a][l] = c - m.unseen(u)
		}
		for l := range archived {
			costs[a][len(logged)+l] = costMissing
		}
	}
	for a, l := range assign(costs) {
		cost += costs[a][l]
		if l < len(logged) {
			m.of[archived[a]] = logged[l]
		}
	}
	return cost
}

func abs(n int) int {
	return max(n, -n)
}

// expected says whether the tail should show a unit if the service has it.
func (m *matching) expected(u *unit) bool {
	return !m.begin.IsZero() && u.last.After(m.begin)
}

// unseen is the cost of a unit that the tail does not show.
func (m *matching) unseen(u *unit) float64 {
	if u.certain && m.expected(u) {
		return costUnseen
	}
	return 0
}

// pair is the cost of taking a unit and an archived message for the same; ok is false when they cannot be.
func pair(u *unit, e Entry) (cost float64, ok bool) {
	if e.Time.IsZero() {
		return costTight, true
	}
	var apart time.Duration
	switch {
	case e.Time.Before(u.first):
		apart = u.first.Sub(e.Time)
		if !u.certain && apart > early {
			// It was not there before it was written.
			return 0, false
		}
	case e.Time.After(u.last):
		apart = e.Time.Sub(u.last)
	}
	switch {
	case apart > tolerance:
		return 0, false
	case !u.certain:
		// More than a certain one of the same time, which is known to have arrived.
		return between(costTight, costLate, apart, 0, tolerance), true
	case apart <= tight:
		// Squared, so that of several pairs of one text those are cheapest that are all a little apart.
		share := between(0, 1, apart, 0, tight)
		return costTight * share * share, true
	case apart <= edge:
		return between(costTight, costEdge, apart, tight, edge), true
	default:
		return between(costEdge, costFar, apart, edge, tolerance), true
	}
}

// between is the cost on the way from one to another, as apart is on the way from one duration to another.
func between(from, to float64, apart, begin, end time.Duration) float64 {
	return from + (to-from)*float64(apart-begin)/float64(end-begin)
}
