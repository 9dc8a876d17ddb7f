package database

import (
	"context"
	"slices"
	"time"

	"go.mau.fi/util/dbutil"
)

// OutboxState is how far a message to the service has come.
type OutboxState string

// The states of an outbox row. Queued and written are open, the others settled; see design.md section 4.
const (
	OutboxQueued    OutboxState = "queued"    // to be written
	OutboxWritten   OutboxState = "written"   // given to a stream, fate unknown
	OutboxConfirmed OutboxState = "confirmed" // the service has it
	OutboxFailed    OutboxState = "failed"    // refused, or given up; its sender is told
	OutboxExpired   OutboxState = "expired"   // waited too long; its sender is told
)

// OutboxKind says what a row is to the service.
type OutboxKind string

// The kinds of outbox rows.
const (
	KindText OutboxKind = "text" // a message that the user wrote
	KindNote OutboxKind = "note" // a text that stands for something else: a reaction, a redaction, a file
	// KindRefusal is an event that the bridge itself refused, so that nothing of it is for the service: see [OutboxStore.Refuse].
	KindRefusal OutboxKind = "refusal"
)

// OutboxMessage is one stanza on its way to the service. A long Matrix message is several, its parts.
type OutboxMessage struct {
	Seq        int64 // order of a login
	LoginID    string
	ChatID     string
	EventID    string // Matrix event that caused it
	Part       int    // 0 is the first
	Parts      int    // how many there are
	StanzaID   string // derived from EventID and Part; unique per login
	RoomID     string
	EventType  string
	SenderMXID string
	MsgType    string
	Kind       OutboxKind
	Body       []byte // nil once settled; of a refusal, how it is told
	State      OutboxState
	StreamID   string // the stream it was last written on
	Attempts   int    // how often it was written
	ReceivedAt time.Time
	QueuedAt   time.Time
	WrittenAt  time.Time
	SettledAt  time.Time
	NotifiedAt time.Time // when its sender was told that it is late
	ToldAt     time.Time // when its sender was told how it ended
	Error      string    // a sentence for the sender
}

// OutboxStore is the queue towards the service. Rows stay for some days after they are settled, until
// [OutboxStore.PruneSettled]: they answer "was this event already taken?", and errors that come late find their event.
type OutboxStore struct {
	// ReportConfirmed keeps confirmed rows for [OutboxStore.Unreported]; without it they count as reported. It is set before the store is used.
	ReportConfirmed bool

	db      *Database
	enqueue *bulk[[]OutboxMessage, bool]
	written *bulk[streamRows, []int64]
	confirm *bulk[streamRows, int64]
}

func newOutboxStore(db *Database) *OutboxStore {
	s := &OutboxStore{db: db}
	s.enqueue = &bulk[[]OutboxMessage, bool]{db: db, run: s.enqueueAll}
	s.written = &bulk[streamRows, []int64]{db: db, run: s.markAllWritten}
	s.confirm = &bulk[streamRows, int64]{db: db, run: s.confirmAll}
	return s
}

// Enqueue stores the parts of one event. It is idempotent by event: inserted is false when the event's parts are already
// there, whatever became of them. Zero QueuedAt means now; State is always queued.
func (s *OutboxStore) Enqueue(ctx context.Context, parts []OutboxMessage) (inserted bool, err error) {
	return s.enqueue.do(ctx, parts)
}

func (s *OutboxStore) enqueueAll(ctx context.Context, events [][]OutboxMessage) ([]bool, error) {
	fresh := make(map[string]struct{})
	err := inPieces(slices.Concat(events...), func(piece []OutboxMessage) error {
		args := make([]any, 0, 14*len(piece))
		for _, part := range piece {
			if part.QueuedAt.IsZero() {
				part.QueuedAt = time.Now()
			}
			args = append(args, part.LoginID, part.ChatID, part.EventID, part.Part, part.Parts, part.StanzaID, part.RoomID, part.EventType,
				part.SenderMXID, part.MsgType, string(part.Kind), part.Body, millis(part.ReceivedAt), millis(part.QueuedAt))
		}
		inserted, err := queryAll(ctx, s.db, scanNumbered, `
			INSERT INTO messenger_outbox (
				login_id, chat_id, event_id, part, parts, stanza_id, room_id, event_type, sender_mxid, msg_type, kind, body, received_at, queued_at
			) VALUES `+tuples(len(piece), 14)+` ON CONFLICT (event_id, part) DO NOTHING RETURNING seq, event_id
		`, args...)
		for _, row := range inserted {
			fresh[row.name] = struct{}{}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(events))
	for i, parts := range events {
		if len(parts) > 0 {
			_, out[i] = fresh[parts[0].EventID]
			delete(fresh, parts[0].EventID) // a repetition further on is none
		}
	}
	return out, nil
}

// NextQueued returns up to limit queued rows of a login in the order they were queued, but of each chat only so many that no
// more than perChat of its rows are written and unconfirmed at once. Rows of a chat that is full, or among those without, are
// passed over; the order within each chat is always kept.
func (s *OutboxStore) NextQueued(ctx context.Context, loginID string, limit, perChat int, without ...string) (chosen []OutboxMessage, err error) {
	free, full, err := s.freeSlots(ctx, loginID, perChat)
	if err != nil {
		return nil, err
	}
	for _, chat := range without {
		free[chat] = 0
		full = append(full, chat)
	}
	var after int64
	for len(chosen) < limit {
		page, err := s.queuedPage(ctx, loginID, after, limit, full)
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			after = row.Seq
			left, known := free[row.ChatID]
			if !known {
				left = perChat
			}
			if left <= 0 {
				continue
			}
			chosen = append(chosen, row)
			free[row.ChatID] = left - 1
			if left == 1 {
				full = append(full, row.ChatID) // left out of the next page, so that a long queue of one chat costs one page
			}
			if len(chosen) == limit {
				break
			}
		}
		if len(page) < limit {
			break
		}
	}
	return chosen, nil
}

func (s *OutboxStore) freeSlots(ctx context.Context, loginID string, perChat int) (free map[string]int, full []string, err error) {
	free = make(map[string]int)
	counts, err := queryAll(ctx, s.db, scanNumbered, `
		SELECT COUNT(*), chat_id FROM messenger_outbox WHERE login_id=$1 AND state='written' GROUP BY chat_id
	`, loginID)
	for _, chat := range counts {
		left := max(perChat-int(chat.seq), 0)
		free[chat.name] = left
		if left == 0 {
			full = append(full, chat.name)
		}
	}
	return free, full, err
}

func (s *OutboxStore) queuedPage(ctx context.Context, loginID string, after int64, limit int, without []string) ([]OutboxMessage, error) {
	args := []any{loginID, after, limit}
	exclude := ""
	if len(without) > maxListed {
		without = without[:maxListed] // the rest is passed over one by one
	}
	if len(without) > 0 {
		exclude, args = listOf(len(args)+1, args, without)
		exclude = ` AND chat_id NOT IN (` + exclude + `)`
	}
	return queryAll(ctx, s.db, scanOutbox, selectOutbox+`
		WHERE login_id=$1 AND state='queued' AND seq>$2`+exclude+` ORDER BY seq LIMIT $3
	`, args...)
}

// ByStanzaID finds the row of a stanza.
func (s *OutboxStore) ByStanzaID(ctx context.Context, loginID, stanzaID string) (row OutboxMessage, found bool, err error) {
	return queryOne(ctx, s.db, scanOutbox, selectOutbox+` WHERE login_id=$1 AND stanza_id=$2`, loginID, stanzaID)
}

// ByEvent returns the parts of an event, in order; none when the event was never queued or is pruned.
func (s *OutboxStore) ByEvent(ctx context.Context, eventID string) ([]OutboxMessage, error) {
	return queryAll(ctx, s.db, scanOutbox, selectOutbox+` WHERE event_id=$1 ORDER BY part`, eventID)
}

// Unconfirmed returns what was written but not confirmed, in order, of one chat or (chatID empty) of all.
func (s *OutboxStore) Unconfirmed(ctx context.Context, loginID, chatID string) ([]OutboxMessage, error) {
	if chatID == "" {
		return queryAll(ctx, s.db, scanOutbox, selectOutbox+` WHERE login_id=$1 AND state='written' ORDER BY seq`, loginID)
	}
	return queryAll(ctx, s.db, scanOutbox, selectOutbox+` WHERE login_id=$1 AND chat_id=$2 AND state='written' ORDER BY seq`, loginID, chatID)
}

// Open returns all open rows of a login, in order: what is lost to its sender when the login ends.
func (s *OutboxStore) Open(ctx context.Context, loginID string) ([]OutboxMessage, error) {
	return queryAll(ctx, s.db, scanOutbox, selectOutbox+` WHERE login_id=$1 AND state IN ('queued', 'written') ORDER BY seq`, loginID)
}

// Depth counts open rows of all logins.
func (s *OutboxStore) Depth(ctx context.Context) (int, error) {
	return queryCount(ctx, s.db, `SELECT COUNT(*) FROM messenger_outbox WHERE state IN ('queued', 'written')`)
}

const selectOutbox = `
	SELECT seq, login_id, chat_id, event_id, part, parts, stanza_id, room_id, event_type, sender_mxid, msg_type, kind, body,
		state, stream_id, attempts, received_at, queued_at, written_at, settled_at, notified_at, told_at, error
	FROM messenger_outbox`

func scanOutbox(row dbutil.Scannable) (m OutboxMessage, err error) {
	var kind, state string
	var receivedAt, queuedAt, writtenAt, settledAt, notifiedAt, toldAt int64
	err = row.Scan(&m.Seq, &m.LoginID, &m.ChatID, &m.EventID, &m.Part, &m.Parts, &m.StanzaID, &m.RoomID, &m.EventType,
		&m.SenderMXID, &m.MsgType, &kind, &m.Body, &state, &m.StreamID, &m.Attempts, &receivedAt, &queuedAt, &writtenAt,
		&settledAt, &notifiedAt, &toldAt, &m.Error)
	m.Kind, m.State = OutboxKind(kind), OutboxState(state)
	m.ReceivedAt, m.QueuedAt, m.WrittenAt = fromMillis(receivedAt), fromMillis(queuedAt), fromMillis(writtenAt)
	m.SettledAt, m.NotifiedAt, m.ToldAt = fromMillis(settledAt), fromMillis(notifiedAt), fromMillis(toldAt)
	return m, err
}
