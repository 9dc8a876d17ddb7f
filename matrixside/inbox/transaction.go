package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"go.mau.fi/util/exhttp"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

const (
	maxTransaction = 64 << 20         // bytes; Synapse sends at most 100 events of 64 KiB, Dendrite at most 50
	insertTimeout  = 30 * time.Second // for committing one
)

// transaction is the body of PUT /transactions/{txnID}. Events are kept as they are; the other parts have two names each.
type transaction struct {
	Events         []json.RawMessage      `json:"events"`
	Ephemeral      []*event.Event         `json:"ephemeral"`
	OldEphemeral   []*event.Event         `json:"de.sorunome.msc2409.ephemeral"`
	ToDevice       []*event.Event         `json:"to_device"`
	OldToDevice    []*event.Event         `json:"de.sorunome.msc2409.to_device"`
	DeviceLists    *mautrix.DeviceLists   `json:"device_lists"`
	OldDeviceLists *mautrix.DeviceLists   `json:"org.matrix.msc3202.device_lists"`
	KeyCounts      appservice.OTKCountMap `json:"device_one_time_keys_count"`
	OldKeyCounts   appservice.OTKCountMap `json:"org.matrix.msc3202.device_one_time_keys_count"`
}

// parseTransaction reads a body and unites the two names of each part.
func parseTransaction(body []byte) (txn transaction, err error) {
	if err = json.Unmarshal(body, &txn); err != nil {
		return txn, err
	}
	if txn.Ephemeral == nil {
		txn.Ephemeral = txn.OldEphemeral
	}
	if txn.ToDevice == nil {
		txn.ToDevice = txn.OldToDevice
	}
	if txn.DeviceLists == nil {
		txn.DeviceLists = txn.OldDeviceLists
	}
	if txn.KeyCounts == nil {
		txn.KeyCounts = txn.OldKeyCounts
	}
	return txn, nil
}

// rows makes the table's rows of the events. What the bridge's own users have sent comes back from the homeserver, and nobody handles it, except where it tells a room's state:
// the rest is left out, for with it every message to Matrix would cost what one from Matrix does. An event that lacks its ID or room, or whose ID cannot be stored, is left out:
// no homeserver sends one, and refusing it would make the homeserver repeat it for ever.
func (txn transaction) rows(txnID string, now time.Time, own func(id.UserID) bool) (rows []database.MatrixEvent, unusable int) {
	for _, raw := range txn.Events {
		var head struct {
			EventID  string    `json:"event_id"`
			RoomID   string    `json:"room_id"`
			Sender   id.UserID `json:"sender"`
			StateKey *string   `json:"state_key"`
		}
		err := json.Unmarshal(raw, &head)
		if err != nil || head.EventID == "" || head.RoomID == "" || strings.ContainsRune(head.EventID+head.RoomID, 0) {
			unusable++
			continue
		}
		if head.StateKey == nil && own(head.Sender) {
			continue
		}
		rows = append(rows, database.MatrixEvent{EventID: head.EventID, RoomID: head.RoomID, TxnID: txnID, Body: raw, ReceivedAt: now})
	}
	return rows, unusable
}

// putTransaction answers 200 when, and only when, everything durable of the transaction is safe.
func (in *Inbox) putTransaction(w http.ResponseWriter, r *http.Request) {
	if !in.as.CheckServerToken(w, r) {
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		mautrix.MNotJSON.WithMessage("The body could not be read").Write(w)
		return
	}
	txn, err := parseTransaction(body)
	if err != nil {
		in.cfg.Log.Error().Err(err).Msg("The homeserver sent a transaction that is not valid JSON")
		mautrix.MBadJSON.WithMessage("The transaction could not be parsed").Write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), insertTimeout)
	defer cancel()
	if err = in.accept(ctx, strings.ReplaceAll(r.PathValue("txnID"), "\x00", ""), txn); err != nil {
		in.cfg.Log.Warn().Err(err).Int("pending", in.Pending()).Msg("A transaction was not accepted, the homeserver will repeat it")
		mautrix.MUnknown.WithStatus(http.StatusServiceUnavailable).WithMessage("The bridge cannot take events at the moment").Write(w)
		return
	}
	exhttp.WriteEmptyJSONResponse(w, http.StatusOK)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxTransaction))
}

// accept makes the durable parts safe and passes the others on. An error means that the homeserver has to repeat.
func (in *Inbox) accept(ctx context.Context, txnID string, txn transaction) error {
	if !in.started.Load() || in.isStopping() {
		return errNotAccepting
	}
	rows, unusable := txn.rows(txnID, time.Now(), in.isOwn)
	if unusable > 0 {
		in.cfg.Log.Error().Int("events", unusable).Str("transaction_id", txnID).Msg("Events without a usable ID or room were ignored")
	}
	if len(rows) > 0 && in.Pending() >= in.cfg.MaxPending {
		return errTooMany
	}
	if err := in.handleEncryption(txn); err != nil {
		return err
	}
	if len(rows) > 0 {
		fresh, err := in.cfg.DB.MatrixInbox.InsertBatch(ctx, rows)
		if err != nil {
			return err
		}
		in.pending.Add(int64(len(fresh)))
		// All rooms of it: events that are known already may have been stored by a commit whose answer was lost, and then nobody works on them.
		in.wakeRooms(rows)
	}
	in.handleEphemeral(txn.Ephemeral)
	return nil
}

// isOwn tells the users whose events bridgev2 ignores: the bot and the ghosts.
func (in *Inbox) isOwn(user id.UserID) bool {
	return user == in.as.BotMXID() || in.cfg.Connector.Bridge.IsGhostMXID(user)
}

func (in *Inbox) wakeRooms(fresh []database.MatrixEvent) {
	woken := make(map[string]struct{}, 1)
	for _, row := range fresh {
		if _, done := woken[row.RoomID]; !done {
			woken[row.RoomID] = struct{}{}
			in.wake(row.RoomID)
		}
	}
}

var errTooMany = errors.New("too many events are waiting")
