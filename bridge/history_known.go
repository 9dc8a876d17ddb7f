package bridge

import (
	"time"

	"matrix-messenger/database"
)

// What is known of a chat "with everything before it". A message that the bridge has had says nothing about those before it: between two sessions, and while the session's own archive was
// not read yet, others may have been missed. So only what was had in a session after its archive was read, or before the latest reading, counts; a tail of the archive that reaches back to
// such a message leaves no gap.

// isNew tells a chat of which nothing was known.
func (r *recollection) isNew() bool { return r.lastRead.At.IsZero() && len(r.log) == 0 }

// isKnown tells whether everything before a message is known that was had on a stream at a time.
func (r *recollection) isKnown(stream string, at time.Time) bool {
	if r.lastRead.At.IsZero() {
		return stream == r.firstStream() // what was before the chat is not missing in it
	}
	return stream == r.lastRead.StreamID || !at.After(r.lastRead.At)
}

// firstStream is the one on which the chat began, as far as the log tells.
func (r *recollection) firstStream() string {
	switch {
	case len(r.log) > 0:
		return r.log[0].StreamID
	case len(r.pending) > 0:
		return r.pending[0].what.Stream
	}
	return ""
}

// knownEntry is isKnown of an entry of the log, and its time by our clock.
func (r *recollection) knownEntry(entry database.LogEntry) (at time.Time, is bool) {
	at = entry.Stamp
	if isStamped(entry.Source) {
		at = at.Add(-r.offset)
	}
	return at, entry.State == logConfirmed && r.isKnown(entry.StreamID, at)
}

// knownRow is isKnown of a row that is on its way to the room.
func (r *recollection) knownRow(q queued) bool { return r.isKnown(q.what.Stream, q.ReceivedAt) }

// lastKnown is the time, by our clock, up to which everything is known; zero when there is none.
func (r *recollection) lastKnown() time.Time {
	last := r.lastRead.At
	for _, entry := range r.log {
		if at, is := r.knownEntry(entry); is && at.After(last) {
			last = at
		}
	}
	return last
}
