package inbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

func TestTheOldNamesOfATransactionsPartsAreKnown(t *testing.T) {
	txn, err := parseTransaction([]byte(`{
		"events":[{"event_id":"$1","room_id":"!a","content":{"x":[1, 2]}}],
		"de.sorunome.msc2409.ephemeral":[{"type":"m.typing","room_id":"!a"}],
		"de.sorunome.msc2409.to_device":[{"type":"m.room.encrypted"}],
		"org.matrix.msc3202.device_lists":{"changed":["@a:b"]},
		"org.matrix.msc3202.device_one_time_keys_count":{"@a:b":{"DEV":{"signed_curve25519":5}}}
	}`))
	if err != nil || len(txn.Ephemeral) != 1 || len(txn.ToDevice) != 1 || txn.DeviceLists == nil || txn.KeyCounts["@a:b"]["DEV"].SignedCurve25519 != 5 {
		t.Errorf("got %+v, %v", txn, err)
	}
	rows, unusable := txn.rows("7", time.UnixMilli(5), nobody)
	if unusable != 0 || len(rows) != 1 || rows[0].EventID != "$1" || rows[0].RoomID != "!a" || rows[0].TxnID != "7" ||
		string(rows[0].Body) != `{"event_id":"$1","room_id":"!a","content":{"x":[1, 2]}}` {
		t.Errorf("rows %+v, %d unusable", rows, unusable)
	}
}

func TestAStoredEventBecomesWhatTheLibraryExpects(t *testing.T) {
	for body, want := range map[string]event.Type{
		`{"event_id":"$other","type":"m.room.message","content":{"body":"x"}}`:                event.EventMessage,
		`{"type":"m.room.member","state_key":"@a:b","content":{"membership":"join"}}`:         event.StateMember,
		`{"type":"m.room.topic","state_key":"","content":{"topic":"x"}}`:                      event.StateTopic,
		`{"type":"m.room.member","content":{"membership":"join"},"unsigned":{"age":"young"}}`: {},
	} {
		evt, err := decode(database.MatrixEvent{EventID: "$1", RoomID: "!a", Body: []byte(body)})
		if (err != nil) != (want == event.Type{}) {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if evt.ID != "$1" || evt.RoomID != "!a" || err == nil && evt.Type != want {
			t.Errorf("%s became %+v", body, evt)
		}
	}
}

func FuzzTransaction(f *testing.F) {
	f.Add([]byte(`{"events":[{"event_id":"$1","room_id":"!a","type":"m.room.message","content":{"body":"x"}}]}`))
	f.Add([]byte(`{"events":[null,{}],"ephemeral":[{"type":"m.presence","content":{"presence":5}}],"to_device":[null]}`))
	in := &Inbox{cfg: Config{Log: zerolog.Nop()}}
	f.Fuzz(func(t *testing.T, body []byte) {
		txn, err := parseTransaction(body)
		if err != nil {
			return
		}
		rows, unusable := txn.rows("1", time.Now(), nobody)
		if len(rows)+unusable != len(txn.Events) {
			t.Errorf("%d rows and %d unusable of %d", len(rows), unusable, len(txn.Events))
		}
		for _, row := range rows {
			if row.EventID == "" || row.RoomID == "" || slices.Contains([]byte(row.EventID), 0) {
				t.Errorf("row %+v", row)
			}
			if evt, err := decode(row); err == nil {
				_ = in.parseContent(evt)
			}
		}
	})
}

func nobody(id.UserID) bool { return false }

func TestWhatTheBridgesOwnUsersSaidIsLeftOutButNotWhatTheyDidToTheRoom(t *testing.T) {
	txn, err := parseTransaction([]byte(`{"events":[
		{"event_id":"$1","room_id":"!r","sender":"@ghost:hs","type":"m.room.message"},
		{"event_id":"$2","room_id":"!r","sender":"@ghost:hs","type":"m.room.member","state_key":"@ghost:hs"},
		{"event_id":"$3","room_id":"!r","sender":"@alice:hs","type":"m.room.message"},
		{"event_id":"$4","room_id":"!r","sender":"@ghost:hs","type":"m.room.topic","state_key":""}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rows, unusable := txn.rows("1", time.Now(), func(user id.UserID) bool { return user == "@ghost:hs" })
	var kept []string
	for _, row := range rows {
		kept = append(kept, row.EventID)
	}
	if got := strings.Join(kept, " "); got != "$2 $3 $4" || unusable != 0 {
		t.Errorf("kept %s, %d unusable", got, unusable)
	}
}
