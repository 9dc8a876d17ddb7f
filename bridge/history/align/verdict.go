package align

import "time"

// place says where in the log the missing messages belong.
//
// A missing message follows what the tail shows before it and precedes what it shows after; between the two its time
// decides about logged messages that the tail does not show.
func (p *problem) place(m *matching) []Missing {
	var missing []Missing
	at := -1 // the index of the logged message that the next one follows
	for i, u := range m.of {
		if u != nil {
			at = max(at, u.entries[len(u.entries)-1])
			continue
		}
		at = p.advance(m, i, at)
		after := ""
		if at >= 0 {
			after = p.log[at].Key
		}
		missing = append(missing, Missing{Index: p.firstIndex + i, After: after})
	}
	return missing
}

// advance moves a place on over logged messages that the tail does not show and that are older than archived message i.
func (p *problem) advance(m *matching, i, at int) int {
	upTo := len(p.log)
	for _, u := range m.of[i:] {
		if u != nil && u.entries[0] > at {
			upTo = min(upTo, u.entries[0])
		}
	}
	when := p.archive[i].Time
	for next := at + 1; next < upTo; next++ {
		l := p.log[next]
		if m.at[next] >= 0 || l.State == Uncertain {
			// Shown before i, though logged later than others: the two crossed. Or not there, as far as is known: what was
			// missed comes before what may be sent again.
			continue
		}
		if !when.IsZero() && p.isLater(l, when, m.offset) {
			break
		}
		at = next
	}
	return at
}

// isLater says whether a logged message, which the tail does not show, is later than an archived one that was missed. That one was missed after all that an earlier session received, or the tail would show
// it no more, and before what this session received; times, which tell it only as well as the offset is known and messages are quick, decide where they are far enough apart.
func (p *problem) isLater(l LogEntry, when time.Time, offset time.Duration) bool {
	at := l.serviceTime(offset)
	switch {
	case l.Stamped || p.opts.Since.IsZero():
		return at.After(when)
	case l.Time.Before(p.opts.Since):
		return at.After(when.Add(tight))
	default:
		return at.After(when.Add(-tight))
	}
}

// judge decides about each uncertain message.
func (p *problem) judge(m *matching, r *Result) {
	arrived := make(map[uint64]int) // the last one found of each stream
	for l, e := range p.log {
		if e.State == Uncertain && m.at[l] >= 0 && e.Stream != 0 {
			arrived[e.Stream] = l
		}
	}
	for l, e := range p.log {
		if e.State != Uncertain {
			continue
		}
		last, ok := arrived[e.Stream]
		switch {
		case m.at[l] >= 0 || ok && l < last:
			r.Arrived = append(r.Arrived, e.Key)
		case p.shows(m, l):
			r.Absent = append(r.Absent, e.Key)
		default:
			r.Undecided = append(r.Undecided, e.Key)
		}
	}
}

// shows says whether the tail would show a logged message had it arrived.
func (p *problem) shows(m *matching, l int) bool {
	if len(p.archive) == 0 {
		return false
	}
	when := p.log[l].serviceTime(m.offset)
	// It may have been pushed out by later ones.
	if p.truncated && (m.begin.IsZero() || when.Before(m.begin)) && !p.follows(m, l) {
		return false
	}
	// The archive may have been switched off: then certain messages, newer than all it shows, are not in it either.
	var newest time.Time
	for _, e := range p.archive {
		if e.Time.After(newest) {
			newest = e.Time
		}
	}
	for i, e := range p.log {
		if e.State != Uncertain && m.at[i] < 0 && e.serviceTime(m.offset).After(newest.Add(tight)) {
			return false
		}
	}
	return true
}

// follows says whether the tail shows something after which a logged message would stand had it arrived: then it has not been pushed out, however close together the
// times are. What is certain and was logged before was taken by the service before this one was written, unless a dying connection delivered it late; so it counts only where the times
// of log and tail agree. And as the service may hand out a message of the contact a moment before it keeps it, there has to be room for two to have crossed.
func (p *problem) follows(m *matching, l int) bool {
	for i, e := range p.log[:l] {
		at := m.at[i]
		if at < 0 || e.State == Uncertain || at < crossing && e.Mine != p.log[l].Mine {
			continue
		}
		if late := p.archive[at].Time.Sub(e.serviceTime(m.offset)); late.Abs() <= tight {
			return true
		}
	}
	return false
}

// crossing is how many places messages of the two sides are taken to be able to swap on their way into the archive.
const crossing = 2

// gap says whether something may lie between what is known with everything before it and the tail's first message.
func (p *problem) gap(m *matching) bool {
	if !p.truncated {
		return false
	}
	anyKnown := false
	for l, e := range p.log {
		if e.Known && m.at[l] >= 0 {
			return false
		}
		anyKnown = anyKnown || e.Known
	}
	if p.opts.Break.IsZero() && !anyKnown {
		return len(p.log) > 0 && m.of[0] == nil
	}
	// Nothing that the tail shows tells how far it reaches, so its beginning has to be clearly before the break.
	slack := tight
	if !p.opts.OffsetKnown {
		slack = tolerance
	}
	first := p.archive[0].Time
	return first.IsZero() || p.opts.Break.IsZero() || first.Add(slack).After(p.opts.Break.Add(m.offset))
}
