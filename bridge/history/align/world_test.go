package align

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// fate is what became of a message.
type fate int

const (
	live      fate = iota // it went through the bridge
	missed                // the bridge never saw it: an outage, or another client wrote it
	stored                // it was delivered later, with the service's stamp
	arrived               // written by the bridge, unconfirmed; the service has it
	lost                  // written by the bridge, unconfirmed; the service never got it
	fateCount             // number of fates
)

// sent is one message of a generated world.
type sent struct {
	number int
	class  class
	fate   fate
	wrote  time.Duration // since start, by the true clock
	had    time.Duration // when the service got it
	saw    time.Duration // when the bridge wrote or read it
	tail   int           // its place in the tail, -1 when it is not there
}

// world is a chat as it really was, and what became visible of it.
type world struct {
	messages  []*sent // in the order of the service, lost ones by when they were written
	log       []LogEntry
	of        map[string]*sent // by key
	tail      []Entry
	in        []*sent // the tail's messages
	skew      time.Duration
	truncated bool
	crossing  bool // the log's order is not that of the service
}

const capacity = 10

// GoString shows the world as a failed test needs it: by the service's order, with the seconds at which each message was
// written, had by the service and seen by the bridge, a bar where the tail begins.
func (w *world) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "skew %v, log %v\n", w.skew, len(w.log))
	keys := make(map[*sent]string)
	for key, m := range w.of {
		keys[m] = key
	}
	for _, m := range w.messages {
		if m.tail == 0 {
			b.WriteString("---\n")
		}
		fmt.Fprintf(&b, "%v %s %s fate %d: %.1f %.1f %.1f\n", m.class.mine, m.class.hash, keys[m], m.fate, m.wrote.Seconds(), m.had.Seconds(), m.saw.Seconds())
	}
	return b.String()
}

// draw makes a world. unique is how many of ten texts occur once only.
func draw(t *rapid.T, skew time.Duration, unique int) *world {
	return rapid.Custom(func(t *rapid.T) *world { return generate(t, skew, unique) }).Draw(t, "world")
}

func generate(t *rapid.T, skew time.Duration, unique int) *world {
	w := &world{of: make(map[string]*sent), skew: skew}
	streamed := rapid.Bool().Draw(t, "streamed")
	broken := false
	var now, taken time.Duration
	for i := range rapid.IntRange(0, 40).Draw(t, "messages") {
		now += time.Duration(rapid.OneOf(
			rapid.Int64Range(0, 3000), rapid.Int64Range(3000, 60_000), rapid.Int64Range(60_000, 2_000_000),
		).Draw(t, "gap")) * time.Millisecond
		m := &sent{number: i, wrote: now, had: now, tail: -1}
		m.class.mine = rapid.Bool().Draw(t, "mine")
		m.class.hash = Hash(fmt.Sprint("text", i))
		if rapid.IntRange(1, 10).Draw(t, "unique") > unique {
			m.class.hash = Hash(rapid.SampledFrom([]string{"ok", "yes", "hm"}).Draw(t, "text"))
		}
		m.fate = fate(rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3, 4}).Draw(t, "fate"))
		if m.class.mine && m.fate == stored || !m.class.mine && m.fate >= arrived {
			m.fate = live
		}
		jitter := time.Duration(rapid.Int64Range(0, 1500).Draw(t, "jitter")) * time.Millisecond
		m.saw = now + jitter
		if m.class.mine {
			m.saw, m.had = now, now+jitter
		}
		if m.class.mine && m.fate == live {
			// What was confirmed was taken before what was written after it.
			taken = max(taken, m.had)
			m.had = taken
		}
		if m.fate == arrived {
			m.had = max(taken, now+time.Duration(rapid.Int64Range(0, 60_000).Draw(t, "delay"))*time.Millisecond)
		}
		if streamed && m.fate >= arrived {
			// A stream is handled in order: after the first that is lost, all are.
			if broken = broken || m.fate == lost; broken {
				m.fate = lost
			} else {
				m.had = max(taken, now+jitter)
			}
		}
		w.messages = append(w.messages, m)
	}
	sort.SliceStable(w.messages, func(i, j int) bool { return w.messages[i].had < w.messages[j].had })
	w.archive()
	w.write(t, streamed)
	return w
}

// archive makes the tail: the last that the service has, in whole seconds of its clock.
func (w *world) archive() {
	for _, m := range w.messages {
		if m.fate != lost {
			w.in = append(w.in, m)
		}
	}
	w.truncated = len(w.in) >= capacity
	w.in = w.in[max(0, len(w.in)-capacity):]
	for i, m := range w.in {
		m.tail = i
		w.tail = append(w.tail, Entry{Mine: m.class.mine, Hash: m.class.hash, Time: start.Add(m.had + w.skew).Truncate(time.Second)})
	}
}

// write makes the log: in the order in which things were written or read, stored ones some messages later.
func (w *world) write(t *rapid.T, streamed bool) {
	order := make([]*sent, 0, len(w.messages))
	for _, m := range w.messages {
		if m.fate != missed {
			order = append(order, m)
		}
	}
	sort.Slice(order, func(i, j int) bool { return order[i].number < order[j].number })
	for i := 0; i < len(order); i++ {
		if m := order[i]; m.fate == stored {
			to := min(len(order)-1, i+rapid.IntRange(0, 3).Draw(t, "late"))
			copy(order[i:to], order[i+1:to+1])
			order[to] = m
			m.fate = -stored // moved
			i--
		}
	}
	last := -1
	for i, m := range order {
		e := LogEntry{Key: fmt.Sprint("k", i), Mine: m.class.mine, Hash: m.class.hash, Time: start.Add(m.saw)}
		switch m.fate {
		case -stored:
			m.fate = stored
			e.Stamped = true
			e.Time = start.Add(m.had + w.skew).Truncate(time.Second)
		case arrived, lost:
			e.State = Uncertain
			if streamed {
				e.Stream = 1
			}
		}
		if m.tail >= 0 {
			w.crossing = w.crossing || m.tail < last
			last = m.tail
		}
		w.of[e.Key] = m
		w.log = append(w.log, e)
	}
}

// certain says whether the world is one of those of which the package's documentation promises a right answer.
func (w *world) certain() bool {
	for i, a := range w.messages {
		for j, b := range w.messages {
			if i == j || a.class != b.class {
				continue
			}
			apart := b.had - a.had
			switch {
			case w.truncated && a.tail < 0 && a.fate != lost && b.tail >= 0 && apart.Abs() <= 15*time.Second:
				// The same text on both sides of the tail's beginning.
				return false
			case w.truncated && a.fate == arrived && a.tail < 0 && b.fate != live && b.tail >= 0 && b.had-a.wrote < tolerance+tight:
				// An unconfirmed message that was pushed out, and its text in the tail, from another client or unconfirmed too.
				return false
			case a.fate == lost && b.fate == missed && b.had > a.wrote-capacity*tight && b.had < a.wrote+tolerance+2*tight:
				// An unconfirmed message that did not arrive, and its text in another client afterwards; or before, when others
				// with that text, each within the accuracy of times, lead from one to the other.
				return false
			case a.fate == lost && b.fate == arrived && b.number > a.number && b.wrote < a.wrote+tolerance+2*tight:
				// Of two unconfirmed ones with one text only the later one arrived.
				return false
			case a.fate == lost && b.fate == arrived && w.truncated && b.wrote-w.in[0].had < 2*tight && b.had > a.wrote-tight:
				// Only the earlier one arrived, late, and was written before the tail's beginning.
				return false
			}
		}
	}
	return true
}

// shown says whether at least n messages of unique text that are in the log and in the tail show the offset.
func (w *world) shown(n int) bool {
	count := make(map[class]int)
	for _, m := range w.messages {
		count[m.class]++
	}
	for _, m := range w.in {
		if m.fate == live && count[m.class] == 1 {
			n--
		}
	}
	return n <= 0
}
