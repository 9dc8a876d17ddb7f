package bridge

import (
	"encoding/json"
	"hash/fnv"
	"time"

	"matrix-messenger/bridge/history/align"
	"matrix-messenger/database"
)

// placed is a new row and the key of the message that it follows: of one in the log, one in the queue, or none.
type placed struct {
	after string
	row   database.Incoming
}

// arrange gives the rows that have to stand at the end of a chat's queue so that the missing ones are in their places: those with a Seq are there already and are moved, the
// others are new. The first fixed rows of the queue stay where they are, and so does everything before the first missing one. wasTried says of a row that it may have been
// sent before; the mark of that would be lost with its place.
func arrange(pending []queued, fixed int, missing []placed, wasTried func(database.Incoming) bool) ([]database.Incoming, error) {
	if len(missing) == 0 {
		return nil, nil
	}
	place := make(map[string]int, len(pending))
	for i, q := range pending {
		place[q.DedupeKey] = i + 1
	}
	at := fixed
	before := make(map[int][]database.Incoming)
	first := len(pending)
	for _, m := range missing {
		at = max(at, place[m.after])
		first = min(first, at)
		before[at] = append(before[at], m.row)
	}
	var rows []database.Incoming
	for i := first; i <= len(pending); i++ {
		rows = append(rows, before[i]...)
		if i == len(pending) {
			break
		}
		row := pending[i].Incoming
		if wasTried(row) && !pending[i].what.Tried {
			what := pending[i].what
			what.Tried = true
			body, err := json.Marshal(what)
			if err != nil {
				return nil, err
			}
			row.Body = body
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// alignLog is what is known of a chat in the terms of the comparison: what is in the room or was written, then what is on its way to the room.
func (h *history) alignLog(known *recollection) ([]align.LogEntry, error) {
	list := make([]align.LogEntry, 0, len(known.log)+len(known.pending))
	for _, entry := range known.log {
		l := align.LogEntry{
			Key: entry.Key, Mine: entry.Mine, Hash: align.Hash(entry.TextHash), Time: entry.Stamp, Stamped: isStamped(entry.Source),
			Group: entry.Group, Whole: align.Hash(entry.Whole),
		}
		_, l.Known = known.knownEntry(entry)
		if entry.State == logUncertain {
			l.State, l.Stream = align.Uncertain, streamNumber(entry.StreamID)
		}
		list = append(list, l)
	}
	list = together(list)
	for _, q := range known.pending {
		if q.Kind == kindNotice || q.what.Text == "" {
			continue
		}
		hash, err := h.cl.textHash(known.chat, q.what.Text)
		if err != nil {
			return nil, err
		}
		list = append(list, align.LogEntry{
			Key: q.DedupeKey, Mine: q.Kind == kindOwn, Hash: align.Hash(hash), Time: q.what.stamp(), Stamped: isStamped(q.what.Source),
			Known: known.knownRow(q),
		})
	}
	return list, nil
}

// together moves the parts of each split message behind its first one: what came in between stood between them by chance.
func together(list []align.LogEntry) []align.LogEntry {
	parts := map[string][]align.LogEntry{}
	for _, l := range list {
		if l.Group != "" {
			parts[l.Group] = append(parts[l.Group], l)
		}
	}
	if len(parts) == 0 {
		return list
	}
	out := make([]align.LogEntry, 0, len(list))
	for _, l := range list {
		switch {
		case l.Group == "":
			out = append(out, l)
		case parts[l.Group] != nil:
			out = append(out, parts[l.Group]...)
			parts[l.Group] = nil
		}
	}
	return out
}

// streamNumber is a number for a stream's name, 0 for none.
func streamNumber(id string) uint64 {
	if id == "" {
		return 0
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(id)) // never fails
	return sum.Sum64() | 1
}

// localTime is the time of our clock at which something happened that has the given time of the service's clock. Nothing has happened in the future, and a message
// of unknown time happened just now.
func localTime(stamp time.Time, offset time.Duration, known bool) time.Time {
	now := time.Now()
	if known && offset.Abs() > clockTolerance {
		stamp = stamp.Add(-offset)
	}
	if stamp.IsZero() || stamp.Year() < 1999 || stamp.After(now) {
		return now
	}
	return stamp
}

// clockTolerance is how far clocks may differ without anybody minding: stamps are in whole seconds.
const clockTolerance = 3 * time.Second
