package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mellium.im/xmpp/jid"

	"matrix-messenger/bridge/history/align"
	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	"matrix-messenger/xmppside/archive"
)

// read asks for the end of a chat's archive, compares it with what is known of the chat, puts what is missing into the chat's queue, and settles
// messages whose confirmation was lost. It may be called again at any point of what it does: what it has stored is known the next time.
func (h *history) read(ctx context.Context, session *xmppside.Session, chat string) (added int, err error) {
	if h.cl.people.isUndecided(ctx, chat) {
		return 0, errUndecided // their room is an invite, in which nobody speaks yet
	}
	tail, err := h.retrieve(ctx, session, chat)
	if err != nil {
		return 0, err
	}
	added, err = h.takeIn(ctx, session, chat, tail)
	if errors.Is(err, errSessionOver) {
		return 0, err
	}
	if err != nil {
		return added, fmt.Errorf("%w: %w", errNotStored, err)
	}
	return added, nil
}

// takeIn is what read does with the archive's answer.
func (h *history) takeIn(ctx context.Context, session *xmppside.Session, chat string, tail []archive.Entry) (added int, err error) {
	// Only now, as everything that the archive can show has been stored before its answer was read: the stream is read in order, and what is written is stored first.
	known, err := h.recall(ctx, session, chat)
	if err != nil {
		return 0, err
	}
	shown, tail := known.splitShown(tail)
	verdict, err := h.compare(ctx, known, tail)
	if err != nil {
		return 0, err
	}
	missing, err := h.missing(known, tail, verdict)
	if err != nil {
		return 0, err
	}
	err = h.cl.c.db.Write(ctx, func(ctx context.Context) error {
		if err := h.logShown(ctx, known, shown); err != nil {
			return err
		}
		if err := h.insertMissing(ctx, known, missing); err != nil {
			return err
		}
		return h.cl.c.db.ArchiveRead.Set(ctx, h.cl.id(), chat, database.ArchiveRead{At: known.at, StreamID: known.stream})
	})
	if err != nil {
		return 0, err
	}
	return len(verdict.Missing), h.settle(ctx, known, verdict)
}

// archiveShows is how many messages of a chat an archive can show, whatever it is asked for: what may be on its way
// unconfirmed, and what is compared.
func (c *Connector) archiveShows() int { return min(c.Config.Archive.Count, align.DefaultCapacity) }

// retrieve asks the service.
func (h *history) retrieve(ctx context.Context, session *xmppside.Session, chat string) ([]archive.Entry, error) {
	address, err := h.cl.people.address(ctx, chat)
	if err != nil {
		return nil, err
	}
	with, err := jid.Parse(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return archive.Retrieve(ctx, session, with, h.cl.c.Config.Archive.Count)
}

// recollection is what is known of a chat when its archive has been read.
type recollection struct {
	chat        string
	stream      string // of the session that asks
	log         []database.LogEntry
	pending     []queued
	fixed       int   // of pending: those at the beginning that must stay where they are
	lastRow     int64 // the newest row of the queue, 0 if there is none
	unconfirmed []database.OutboxMessage
	lastRead    database.ArchiveRead
	at          time.Time // when it was recalled
	since       time.Time // when the session began
	begun       bool      // the chat began while nobody was there
	shown       time.Time // of the newest message in the room, if there is no log any more
	offset      time.Duration
	offsetKnown bool
}

// queued is a row of the Messenger inbox with what it holds.
type queued struct {
	database.Incoming
	what incoming
}

// maxPending is how many rows of a chat's queue are looked at, the newest.
const maxPending = 500

// recall reads what is known of a chat. The rows are read before the log, because they go from there to here.
func (h *history) recall(ctx context.Context, session *xmppside.Session, chat string) (*recollection, error) {
	r := &recollection{chat: chat, stream: h.cl.c.streamID(session.ID()), at: time.Now()}
	h.mu.Lock()
	r.since, r.begun = h.since, h.begun[chat]
	isLatest := h.session == session.ID()
	h.mu.Unlock()
	if !isLatest {
		return nil, errSessionOver // the next one has begun, of which this one's answer knows nothing
	}
	rows, err := h.cl.c.db.MessengerInbox.LastForChat(ctx, h.cl.id(), chat, maxPending)
	if err != nil {
		return nil, err
	}
	// Asked only now: a row that has arrived meanwhile is not the one that comes first, and has come into the log, which is read next.
	if row, is := h.cl.inbound.onItsWay(chat); is && len(rows) > 0 && (row == 0 || row == rows[0].Seq) {
		r.fixed = 1
	}
	if r.log, err = h.cl.c.db.ChatLog.Tail(ctx, h.cl.id(), chat, h.cl.logLength()); err != nil {
		return nil, err
	}
	logged := make(map[string]bool, len(r.log))
	for _, entry := range r.log {
		logged[entry.Key] = true
	}
	for i, row := range rows {
		r.lastRow = row.Seq
		q := queued{Incoming: row}
		if logged[row.DedupeKey] || wasAside(row) {
			if i == 0 {
				r.fixed = 0 // it has arrived meanwhile, or is none of those that are put in order
			}
			continue
		}
		if err = json.Unmarshal(row.Body, &q.what); err != nil {
			q.what = incoming{} // a damaged row, which is set aside in its turn
		}
		r.pending = append(r.pending, q)
	}
	r.fixed = min(r.fixed, len(r.pending))
	if r.unconfirmed, err = h.cl.c.db.Outbox.Unconfirmed(ctx, h.cl.id(), chat); err != nil {
		return nil, err
	}
	if r.lastRead, err = h.cl.c.db.ArchiveRead.Get(ctx, h.cl.id(), chat); err != nil {
		return nil, err
	}
	if r.isNew() {
		if r.shown, err = h.newestShown(ctx, chat); err != nil {
			return nil, err
		}
	}
	if r.offset, r.offsetKnown, err = h.serviceOffset(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// newestShown is the time of the newest message in the chat's room. It is all that is known when an account was logged out and in again: its rooms may have stayed.
func (h *history) newestShown(ctx context.Context, chat string) (time.Time, error) {
	room, err := h.cl.people.roomOf(ctx, chat)
	if err != nil || room == "" {
		return time.Time{}, err
	}
	newest, err := h.cl.c.br.DB.Message.GetLastNInPortal(ctx, portalKey(h.cl.login.ID, chat), 1)
	if err != nil || len(newest) == 0 {
		return time.Time{}, err
	}
	return newest[0].Timestamp, nil
}

// splitShown separates what a room that outlived its log shows already from the rest.
func (r *recollection) splitShown(tail []archive.Entry) (shown, rest []archive.Entry) {
	n := 0
	for !r.shown.IsZero() && n < len(tail) && !tail[n].Time.Add(-r.offset).After(r.shown) {
		n++
	}
	return tail[:n], tail[n:]
}

// logShown puts such messages into the log, so that the next reading knows them.
func (h *history) logShown(ctx context.Context, known *recollection, shown []archive.Entry) error {
	entries := make([]database.LogEntry, len(shown))
	for i, e := range shown {
		hash, err := h.cl.textHash(known.chat, e.Body)
		if err != nil {
			return err
		}
		entries[i] = database.LogEntry{
			LoginID: h.cl.id(), ChatID: known.chat, Key: newKey(), Mine: e.Mine, TextHash: hash,
			Stamp: e.Time, Source: sourceArchive, State: logConfirmed, StreamID: known.stream,
		}
	}
	return h.cl.c.db.ChatLog.Append(ctx, h.cl.logLength(), entries...)
}

// compare says what the archive tells about the chat.
func (h *history) compare(ctx context.Context, known *recollection, tail []archive.Entry) (align.Result, error) {
	entries := make([]align.Entry, len(tail))
	for i, e := range tail {
		hash, err := h.cl.textHash(known.chat, e.Body)
		if err != nil {
			return align.Result{}, err
		}
		entries[i] = align.Entry{Mine: e.Mine, Hash: align.Hash(hash), Time: e.Time}
	}
	log, err := h.alignLog(known)
	if err != nil {
		return align.Result{}, err
	}
	verdict := align.Align(log, entries, align.Options{
		Offset: known.offset, OffsetKnown: known.offsetKnown,
		Capacity: h.cl.c.archiveShows(),
		Break:    known.lastKnown(),
		Since:    known.since,
	})
	if known.isNew() || len(tail) == 0 {
		verdict.Gap = false // what is before the room is not missing in it
	}
	return verdict, h.noteOffset(ctx, known, verdict)
}

// missing makes rows of the archived messages that nobody has seen.
func (h *history) missing(known *recollection, tail []archive.Entry, verdict align.Result) ([]placed, error) {
	var list []placed
	put := func(after, kind string, what incoming) error {
		body, err := json.Marshal(what)
		stamp := what.Stamp
		if stamp.IsZero() {
			stamp = what.Time
		}
		list = append(list, placed{after: after, row: database.Incoming{
			LoginID: h.cl.id(), ChatID: known.chat, DedupeKey: newKey(), Kind: kind, Body: body, Stamp: stamp, ReceivedAt: time.Now(),
		}})
		return err
	}
	if verdict.Gap {
		if err := put(gapPlace(known, verdict), kindNotice, incoming{From: known.chat, Text: noticeGap, Time: time.Now()}); err != nil {
			return nil, err
		}
	}
	for i, m := range verdict.Missing {
		e := tail[m.Index]
		what := incoming{
			From: known.chat, Text: e.Body, Time: localTime(e.Time, verdict.Offset, verdict.OffsetKnown), Stamp: e.Time,
			Source: sourceArchive, Late: true, Old: known.isNew() && !known.begun, Stream: known.stream,
		}
		what.Read = what.Old && i == len(verdict.Missing)-1
		kind := kindMessage
		if e.Mine {
			kind, what.From = kindOwn, h.cl.id()
		}
		if err := put(m.After, kind, what); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// noticeGap stands where messages may be missing.
const noticeGap = "Some messages of this chat may be missing here: while the bridge was not connected more was said than " + service + " gives out afterwards. Other " + service + " programs may still show them."

// gapPlace is where the archive's first message is or will be.
func gapPlace(known *recollection, verdict align.Result) string {
	if len(verdict.Missing) > 0 && verdict.Missing[0].Index == 0 {
		return verdict.Missing[0].After
	}
	before := ""
	first := map[string]bool{}
	for _, f := range verdict.Found {
		if f.Index == 0 {
			for _, key := range f.Keys {
				first[key] = true
			}
		}
	}
	for _, entry := range known.log {
		if first[entry.Key] {
			return before
		}
		before = entry.Key
	}
	for _, q := range known.pending {
		if first[q.DedupeKey] {
			return before
		}
		before = q.DedupeKey
	}
	return ""
}

// insertMissing puts what is missing into the chat's queue.
func (h *history) insertMissing(ctx context.Context, known *recollection, missing []placed) error {
	rows, err := arrange(known.pending, known.fixed, missing, h.cl.inbound.wasTried)
	if err != nil || len(rows) == 0 {
		return err
	}
	return h.cl.c.db.MessengerInbox.Rearrange(ctx, h.cl.id(), known.chat, known.lastRow, rows)
}

// settle says of messages written to an earlier session whether they arrived: those that did are confirmed, and those that did not are queued again.
func (h *history) settle(ctx context.Context, known *recollection, verdict align.Result) error {
	arrived, absent := keySet(verdict.Arrived), keySet(verdict.Absent)
	suspect := h.cl.outbox.suspected()
	var there, lost []database.OutboxMessage
	open := map[string]bool{}
	for _, row := range known.unconfirmed {
		open[row.StanzaID] = true
		switch {
		case row.StreamID == known.stream || row.StanzaID == suspect:
		case arrived[row.StanzaID]:
			there = append(there, row)
		case absent[row.StanzaID]:
			lost = append(lost, row)
		}
	}
	if err := h.cl.outbox.settleByArchive(ctx, there, lost); err != nil {
		return err
	}
	var problems []error
	for _, entry := range known.log {
		// What was reported to its sender as uncertain is not queued any more.
		switch {
		case open[entry.Key] || entry.StreamID == known.stream:
		case arrived[entry.Key]:
			problems = append(problems, h.cl.c.db.ChatLog.SetState(ctx, h.cl.id(), known.chat, entry.Key, logConfirmed))
		case absent[entry.Key]:
			problems = append(problems, h.cl.c.db.ChatLog.Delete(ctx, h.cl.id(), known.chat, entry.Key))
		}
	}
	return errors.Join(problems...)
}

func keySet(keys []string) map[string]bool {
	set := make(map[string]bool, len(keys))
	for _, key := range keys {
		set[key] = true
	}
	return set
}
