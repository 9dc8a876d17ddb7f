package align

import (
	"sort"
	"time"
)

const (
	// maxShift is the largest difference from the given offset that is tried out.
	maxShift = 10 * time.Minute
	// maxTried bounds how many offsets are tried out, those with most pairs behind them.
	maxTried = 40

	// What a believed offset costs that is not the given one: as a guess, and as a measured one.
	costShiftGuess = 1.5
	costShiftKnown = 4.0
	// costDistance is added for a shift of maxShift, so that of equal ones the nearest is taken.
	costDistance = 0.5
)

// estimate finds the offset under which log and tail fit best, and whether it is measured now.
func (p *problem) estimate() (offset time.Duration, known bool) {
	given := p.opts.Offset
	best := p.match(given)
	least := best.cost
	for _, tried := range p.candidates() {
		m := p.match(tried)
		if cost := m.cost + p.shiftCost(tried); cost < least {
			best, least = m, cost
		}
	}
	// The pairs found tell it better than the one pair that suggested it.
	if refined, ok := p.median(best); ok && refined != best.offset {
		if m := p.match(refined); m.cost+p.shiftCost(refined) <= least {
			best = m
		}
	}
	return best.offset, p.opts.OffsetKnown || best.pairs(p) >= 2
}

func (p *problem) shiftCost(offset time.Duration) float64 {
	shift := (offset - p.opts.Offset).Abs()
	if shift <= tight {
		return 0
	}
	cost := costShiftGuess
	if p.opts.OffsetKnown {
		cost = costShiftKnown
	}
	if shift < edge {
		return between(0, cost, shift, tight, edge)
	}
	return cost + between(0, costDistance, shift, edge, maxShift)
}

// candidates are offsets that pairs of one class suggest, those that most archived messages agree on.
func (p *problem) candidates() []time.Duration {
	byClass := make(map[class][]int)
	for i, l := range p.log {
		if !l.Stamped {
			byClass[class{l.Mine, l.Hash}] = append(byClass[class{l.Mine, l.Hash}], i)
		}
		if l.Group != "" && l.Whole != "" && !l.Stamped {
			byClass[class{l.Mine, l.Whole}] = append(byClass[class{l.Mine, l.Whole}], i)
		}
	}
	var pairs []suggestion
	for i, e := range p.archive {
		if e.Time.IsZero() {
			continue
		}
		for _, l := range byClass[class{e.Mine, e.Hash}] {
			offset := e.Time.Sub(p.log[l].Time)
			if (offset - p.opts.Offset).Abs() <= maxShift {
				pairs = append(pairs, suggestion{offset, i})
			}
		}
	}
	sort.Slice(pairs, func(i, j int) bool { return pairs[i].offset < pairs[j].offset })
	return p.strongest(pairs)
}

// suggestion is an offset that an archived message and one of the log suggest together.
type suggestion struct {
	offset time.Duration
	entry  int
}

// strongest picks, out of suggestions in ascending order, one for each second, at most maxTried of them.
func (p *problem) strongest(pairs []suggestion) []time.Duration {
	type candidate struct {
		offset  time.Duration
		support int
	}
	var list []candidate
	from, to := 0, 0
	for i, s := range pairs {
		if i > 0 && s.offset.Truncate(time.Second) == pairs[i-1].offset.Truncate(time.Second) {
			continue
		}
		for pairs[from].offset < s.offset-tight/2 {
			from++
		}
		for to < len(pairs) && pairs[to].offset <= s.offset+tight/2 {
			to++
		}
		entries := make(map[int]bool)
		for _, other := range pairs[from:to] {
			entries[other.entry] = true
		}
		list = append(list, candidate{s.offset, len(entries)})
	}
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].support != list[j].support {
			return list[i].support > list[j].support
		}
		return (list[i].offset - p.opts.Offset).Abs() < (list[j].offset - p.opts.Offset).Abs()
	})
	var offsets []time.Duration
	for _, c := range list[:min(len(list), maxTried)] {
		offsets = append(offsets, c.offset)
	}
	return offsets
}

// median is the middle one of the offsets of the pairs of a matching.
func (p *problem) median(m *matching) (time.Duration, bool) {
	var offsets []time.Duration
	for i, u := range m.of {
		if l := p.clocked(i, u); l != nil {
			offsets = append(offsets, p.archive[i].Time.Sub(l.Time))
		}
	}
	if len(offsets) < 2 {
		return 0, false
	}
	sort.Slice(offsets, func(i, j int) bool { return offsets[i] < offsets[j] })
	return offsets[len(offsets)/2], true
}

// pairs counts the pairs that say something about the clocks and agree with the offset.
func (m *matching) pairs(p *problem) int {
	n := 0
	for i, u := range m.of {
		if l := p.clocked(i, u); l != nil && (p.archive[i].Time.Sub(l.Time)-m.offset).Abs() <= tight {
			n++
		}
	}
	return n
}

// clocked is the logged message of a pair whose two times are by different clocks, else nil.
func (p *problem) clocked(i int, u *unit) *LogEntry {
	if u == nil || p.archive[i].Time.IsZero() {
		return nil
	}
	if l := &p.log[u.entries[0]]; !l.Stamped {
		return l
	}
	return nil
}
