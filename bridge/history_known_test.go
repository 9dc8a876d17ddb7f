package bridge

import (
	"testing"
	"time"

	"matrix-messenger/database"
)

func TestAMessageTellsOfThoseBeforeItOnlyWhereNothingWasMissed(t *testing.T) {
	read := time.Date(2012, 6, 1, 10, 0, 0, 0, time.UTC)
	entry := func(stream string, at time.Duration, change ...func(*database.LogEntry)) database.LogEntry {
		e := database.LogEntry{Source: sourceInbox, State: logConfirmed, StreamID: stream, Stamp: read.Add(at)}
		for _, f := range change {
			f(&e)
		}
		return e
	}
	lastRead := database.ArchiveRead{At: read, StreamID: "run.2"}
	for name, test := range map[string]struct {
		entry database.LogEntry
		read  database.ArchiveRead
		known bool
	}{
		"it came before the archive was read":                     {entry("run.1", -time.Minute), lastRead, true},
		"it came later in the session that read it":               {entry("run.2", time.Minute), lastRead, true},
		"it came in a session that has not read it":               {entry("run.3", time.Minute), lastRead, false},
		"nothing was ever read, and it is of the first session":   {entry("run.1", time.Minute), database.ArchiveRead{}, true},
		"nothing was ever read, and it is of a later session":     {entry("run.2", time.Minute), database.ArchiveRead{}, false},
		"nobody knows whether it arrived":                         {entry("run.2", time.Minute, func(e *database.LogEntry) { e.State = logUncertain }), lastRead, false},
		"the service stored it before, by its clock that is fast": {entry("run.3", time.Minute, func(e *database.LogEntry) { e.Source = sourceOffline }), lastRead, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recollection{log: []database.LogEntry{entry("run.1", -time.Hour)}, lastRead: test.read, offset: 2 * time.Minute}
			if _, known := r.knownEntry(test.entry); known != test.known {
				t.Errorf("known with everything before it: %v", known)
			}
		})
	}
}

func TestEverythingIsKnownUpToTheLatestReading(t *testing.T) {
	read := time.Now().Add(-time.Hour)
	r := &recollection{lastRead: database.ArchiveRead{At: read, StreamID: "run.1"}}
	if !r.lastKnown().Equal(read) {
		t.Errorf("%v instead of %v", r.lastKnown(), read)
	}
	later := read.Add(time.Minute)
	r.log = []database.LogEntry{
		{Source: sourceInbox, State: logConfirmed, StreamID: "run.1", Stamp: later},
		{Source: sourceOutbox, State: logConfirmed, StreamID: "run.2", Stamp: later.Add(time.Minute)},
	}
	if !r.lastKnown().Equal(later) {
		t.Errorf("%v instead of %v", r.lastKnown(), later)
	}
	row := queued{Incoming: database.Incoming{ReceivedAt: later}, what: incoming{Stream: "run.1"}}
	if !r.knownRow(row) {
		t.Error("a row of the session that has read the archive is not known with everything before it")
	}
	if row.what.Stream = "run.2"; r.knownRow(row) {
		t.Error("a row of a session that has not read the archive is known with everything before it")
	}
}
