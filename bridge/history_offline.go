package bridge

import (
	"context"
	"encoding/json"
	"time"

	"matrix-messenger/bridge/history/align"
	"matrix-messenger/database"
)

// offline completes a message that the service had stored (XEP-0160), and tells whether it is known. When a session breaks while
// they are delivered, the service delivers them again.
func (h *history) offline(ctx context.Context, kind string, row *incoming) (again bool, err error) {
	row.Stamp, row.Source = row.Time, sourceOffline
	offset, known, err := h.serviceOffset(ctx)
	if err != nil {
		return false, err
	}
	row.Time = localTime(row.Stamp, offset, known)
	return h.isRepeat(ctx, kind, *row)
}

// repeatKey is what makes two stored messages the same one: they have no IDs that can be relied on.
type repeatKey struct {
	chat, hash string
	mine       bool
	stamp      int64
}

// repeat counts a message: how often it was known before this session, and how often it has come in it. Somebody may say "ok" twice in a second, so the second one counts
// as a repeat only when it was known twice.
type repeat struct{ known, seen int }

// maxRepeats bounds what is remembered of a session; what is beyond it is taken for new.
const maxRepeats = 5000

func (h *history) isRepeat(ctx context.Context, kind string, row incoming) (bool, error) {
	hash, err := h.cl.textHash(row.From, row.Text)
	if err != nil {
		return false, err
	}
	key := repeatKey{chat: row.From, hash: hash, mine: kind == kindOwn, stamp: row.Stamp.UnixMilli()}
	h.mu.Lock()
	count, full := h.repeats[key], len(h.repeats) >= maxRepeats
	h.mu.Unlock()
	if count == nil {
		var known int
		// In one transaction, as a message that is shown meanwhile goes from the queue into the log: read one after the other, it
		// would be in neither, or in both.
		err := h.cl.c.db.Write(ctx, func(ctx context.Context) (err error) {
			known, err = h.timesKnown(ctx, kind, hash, row)
			return err
		})
		if err != nil {
			return false, err
		}
		if full {
			return known > 0, nil
		}
		count = &repeat{known: known}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.repeats == nil {
		h.repeats = map[repeatKey]*repeat{}
	}
	h.repeats[key] = count
	count.seen++
	return count.seen <= count.known, nil
}

// timesKnown counts a message in the log, in the queue, and among those that wait for a decision about their sender.
func (h *history) timesKnown(ctx context.Context, kind, hash string, row incoming) (int, error) {
	known, err := h.cl.c.db.ChatLog.CountAt(ctx, h.cl.id(), row.From, kind == kindOwn, hash, row.Stamp, sourceOffline, sourceArchive)
	if err != nil {
		return 0, err
	}
	rows, err := h.cl.c.db.MessengerInbox.AtStamp(ctx, h.cl.id(), row.From, row.Stamp)
	if err != nil {
		return 0, err
	}
	for _, other := range rows {
		if wasAside(other) {
			continue // it was counted in the log
		}
		if other.Kind == kind && isSameStored(other.Body, row) {
			known++
		}
	}
	held, err := h.cl.c.db.Held.ListAll(ctx, h.cl.id(), row.From)
	for _, other := range held {
		if other.Stamp.UnixMilli() == row.Stamp.UnixMilli() && isSameStored(other.Body, row) {
			known++
		}
	}
	return known, err
}

// isSameStored tells whether the body of a row of the same time is that of a message that has the service's time, and of this one.
func isSameStored(body []byte, row incoming) bool {
	var what incoming
	return json.Unmarshal(body, &what) == nil && isStamped(what.Source) && align.Normalize(what.Text) == align.Normalize(row.Text)
}

// serviceClock is how far the service's clock is ahead of ours.
type serviceClock struct {
	offset time.Duration
	known  bool
	loaded bool
}

// serviceOffset is the measured difference of the clocks; known is false when there is none yet.
func (h *history) serviceOffset(ctx context.Context) (offset time.Duration, known bool, err error) {
	h.mu.Lock()
	clock := h.clock
	h.mu.Unlock()
	if !clock.loaded {
		setting, err := h.cl.c.db.Setting.Get(ctx, h.cl.id())
		if err != nil {
			return 0, false, err
		}
		clock = serviceClock{offset: setting.ClockOffset, known: setting.ClockOffset != 0, loaded: true}
		h.mu.Lock()
		h.clock = clock
		h.mu.Unlock()
	}
	return clock.offset, clock.known, nil
}

// noteOffset keeps a difference of the clocks that was measured, and writes it down when it is news.
func (h *history) noteOffset(ctx context.Context, known *recollection, verdict align.Result) error {
	if !verdict.OffsetKnown {
		return nil
	}
	h.mu.Lock()
	h.clock = serviceClock{offset: verdict.Offset, known: true, loaded: true}
	h.mu.Unlock()
	if known.offsetKnown && (verdict.Offset-known.offset).Abs() < clockTolerance {
		return nil
	}
	_, err := h.cl.c.db.Setting.Update(ctx, h.cl.id(), func(s *database.Setting) { s.ClockOffset = verdict.Offset })
	return err
}
