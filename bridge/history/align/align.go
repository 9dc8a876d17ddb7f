package align

import "time"

// State is how sure it is that a logged message reached the other side.
type State int

const (
	// Confirmed is a message that was received, or sent and confirmed.
	Confirmed State = iota
	// Uncertain is one that was written to a session that broke before it was confirmed.
	Uncertain
)

// LogEntry is a message of the chat that the bridge knows. The log is given in its order, the oldest first.
type LogEntry struct {
	// Key names the entry in the Result; it must be unique in the log.
	Key string
	// Mine is true for a message of the user.
	Mine bool
	// Hash is that of the text as it was on the wire.
	Hash Hash
	// Time is when it was written or read, by our clock.
	Time time.Time
	// Stamped says that Time is the service's (a delay stamp), so the clocks' offset does not apply.
	Stamped bool
	State   State
	// Known says that everything before it is known, too: it was received, or sent and confirmed, in a session that had made up for what was missed before. A tail that shows it leaves no gap.
	Known bool
	// Stream tells sessions apart for uncertain messages: of two with the same number the service has handled the
	// earlier one when it has handled the later. Zero for not known.
	Stream uint64
	// Group names the message that this is a part of when it was split on sending, and Whole is the hash of its whole
	// text: an archive may show it in one piece. The parts of a group stand together in the log. Empty when not split.
	Group string
	Whole Hash
}

// Entry is an archived message; the archive's tail is given oldest first.
type Entry struct {
	Mine bool
	Hash Hash
	// Time by the service's clock; zero when it did not tell.
	Time time.Time
}

// DefaultCapacity is how many messages the Messenger service gives at most.
const DefaultCapacity = 10

// Options are what is known beside the two lists.
type Options struct {
	// Offset is how far the service's clock is ahead of ours; OffsetKnown says that it was measured, by an earlier
	// Result for instance, and is no guess.
	Offset      time.Duration
	OffsetKnown bool
	// Capacity is how many messages the archive shows at most, DefaultCapacity when zero. A tail of fewer shows all
	// there are, unless more than it shows are logged for certain: then the service shows fewer than was thought.
	Capacity int
	// Whole says that the tail is known to be all there is.
	Whole bool
	// Break is when messages may have begun to be missed, by our clock: the last moment up to which all is known. Zero when
	// not known.
	Break time.Time
	// Since is when the session that asks began, by our clock; zero when not known. What an earlier session received or sent comes before a missed message of about the same time,
	// and what this session did comes after it.
	Since time.Time
}

// Missing is an archived message that the log does not have.
type Missing struct {
	// Index is its place in the tail.
	Index int
	// After is the key of the logged message that it follows, empty when it comes before all of them. Several after the
	// same one follow in their order in the Result.
	After string
}

// Found is an archived message that the log has.
type Found struct {
	// Index is its place in the tail.
	Index int
	// Keys name the logged message, or the parts of it when the archive shows a split message in one piece.
	Keys []string
}

// Result is what the tail says. All lists are in the order of the tail or of the log.
type Result struct {
	Missing []Missing
	Found   []Found
	// The uncertain messages of the log, each in one of three: those that reached the service; those that did not, as
	// the archive would show them; and those of which the archive cannot tell.
	Arrived   []string
	Absent    []string
	Undecided []string
	// Gap says that messages older than the tail may be missing: it does not reach back to what is known.
	Gap bool
	// Offset is how far the service's clock is ahead of ours, and OffsetKnown whether that is now measured.
	Offset      time.Duration
	OffsetKnown bool
}

// Bounds on what is looked at: the latest of both. Twice a real archive's tail, and a log that reaches far beyond it.
const (
	maxLog     = 500
	maxArchive = 100
)

// Align compares a chat's log with the tail of its archive. See the package's documentation for how, how sure it is and
// what is done where nobody can know.
func Align(log []LogEntry, archive []Entry, opts Options) Result {
	p := newProblem(log, archive, opts)
	m := p.estimate()
	r := Result{Offset: m.offset, OffsetKnown: p.opts.OffsetKnown}
	if measured, ok := p.measure(m); ok {
		r.Offset, r.OffsetKnown = measured, true
	}
	for i, u := range m.of {
		if u != nil {
			r.Found = append(r.Found, Found{Index: p.firstIndex + i, Keys: p.keys(u)})
		}
	}
	r.Missing = p.place(m)
	p.judge(m, &r)
	r.Gap = p.gap(m)
	return r
}

// problem is the input of Align, made ready.
type problem struct {
	log     []LogEntry
	archive []Entry
	opts    Options
	// firstIndex is the place of archive[0] in the tail as given.
	firstIndex int
	// truncated says that there may be more before the tail.
	truncated bool
}

func newProblem(log []LogEntry, archive []Entry, opts Options) *problem {
	if opts.Capacity <= 0 {
		opts.Capacity = DefaultCapacity
	}
	certain := 0
	for _, l := range log {
		if l.State != Uncertain {
			certain++
		}
	}
	p := &problem{opts: opts, truncated: !opts.Whole && len(archive) > 0 && (len(archive) >= opts.Capacity || certain > len(archive))}
	if len(archive) > maxArchive {
		p.firstIndex = len(archive) - maxArchive
		p.truncated = true
	}
	p.archive = archive[p.firstIndex:]
	p.log = log[max(0, len(log)-maxLog):]
	return p
}

// serviceTime is the time of a logged message by the service's clock.
func (l LogEntry) serviceTime(offset time.Duration) time.Time {
	if l.Stamped {
		return l.Time
	}
	return l.Time.Add(offset)
}
