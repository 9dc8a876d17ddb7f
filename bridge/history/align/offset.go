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

	// accurate is how well a measured offset is known.
	accurate = 2 * time.Second

	// What a believed offset costs that is not the given one: as a guess, and as a measured one.
	costShiftGuess = 1.5
	costShiftKnown = 4.0
	// costDistance is added for a shift of maxShift, so that of equal ones the nearest is taken.
	costDistance = 0.5
)

// estimate finds the matching that fits best under any offset.
func (p *problem) estimate() *matching {
	best := p.match(p.opts.Offset)
	least := best.cost
	for _, tried := range p.candidates() {
		m := p.match(tried)
		if cost := m.cost + p.shiftCost(tried); cost < least {
			best, least = m, cost
		}
	}
	// The middle of all pairs tells it better than the one pair that suggested it.
	if refined, ok := p.measure(best); ok && refined != best.offset {
		if m := p.match(refined); m.cost+p.shiftCost(refined) <= least {
			best = m
		}
	}
	return best
}

// shiftCost is the cost of another offset than the given one. Nothing for what the clocks' ticks and the transport
// explain, and from there up to the whole.
func (p *problem) shiftCost(offset time.Duration) float64 {
	shift := (offset - p.opts.Offset).Abs()
	cost, free, whole := costShiftGuess, tight, edge
	if p.opts.OffsetKnown {
		cost, free, whole = costShiftKnown, accurate, tight
	}
	switch {
	case shift <= free:
		return 0
	case shift < whole:
		return between(0, cost, shift, free, whole)
	default:
		return cost + between(0, costDistance, shift, whole, maxShift)
	}
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

// measure takes the middle one of the offsets of a matching's pairs; ok is false with fewer than two of them that agree
// with it.
func (p *problem) measure(m *matching) (offset time.Duration, ok bool) {
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
	offset = offsets[len(offsets)/2]
	agree := 0
	for _, o := range offsets {
		if (o - offset).Abs() <= tight {
			agree++
		}
	}
	return offset, agree >= 2
}

// clocked is the logged message of a pair whose times tell about the clocks: two different ones, and not that of an
// unconfirmed message, which may have been long on its way.
func (p *problem) clocked(i int, u *unit) *LogEntry {
	if u == nil || !u.certain || p.archive[i].Time.IsZero() {
		return nil
	}
	if l := &p.log[u.entries[0]]; !l.Stamped {
		return l
	}
	return nil
}
