package inbox_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/matrixside/inbox"
)

func TestMessagesAreHandledInTheOrderOfTheirRoom(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary", "john")
	w.inbox.Ready()
	var want []string
	for n := range 50 {
		want = append(want, fmt.Sprintf("mary %02d", n))
		w.send("mary", want[n])
		w.send("john", fmt.Sprintf("john %02d", n))
	}
	var got []string
	for _, text := range w.net.waitFor(t, 100) {
		if strings.HasPrefix(text, "mary") {
			got = append(got, text)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("mary got %q", got)
	}
	eventually(t, "an empty inbox", func() bool { return w.inbox.Pending() == 0 })
	depth, err := w.db.MatrixInbox.Depth(t.Context())
	must(t, err)
	if depth != 0 {
		t.Errorf("%d events are pending in the table", depth)
	}
}

func TestARoomThatIsBusyHoldsUpNoOther(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary", "john")
	gate := make(chan struct{})
	w.net.before = func(text string) {
		if text == "slow" {
			<-gate
		}
	}
	w.inbox.Ready()
	w.send("mary", "slow")
	w.send("mary", "behind it")
	w.send("john", "quick")
	if got := w.net.waitFor(t, 1); got[0] != "quick" {
		t.Errorf("handled %q", got)
	}
	w.settled() // acknowledged although two are not handled
	close(gate)
	if got := w.net.waitFor(t, 3); got[1] != "slow" || got[2] != "behind it" {
		t.Errorf("handled %q", got)
	}
}

func TestSoManyRoomsAreHandledAtATime(t *testing.T) {
	w := newWorld(t, inbox.Config{MaxParallel: 1}, "mary", "john")
	started, gate := make(chan string, 2), make(chan struct{})
	w.net.before = func(text string) { started <- text; <-gate }
	w.inbox.Ready()
	w.send("mary", "one")
	w.send("john", "one")
	<-started
	w.settled()
	select {
	case <-started:
		t.Error("two rooms are handled at once")
	default:
	}
	close(gate)
	w.net.waitFor(t, 2)
}

func TestATransactionThatComesAgainAddsNothing(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary")
	w.inbox.Ready()
	for n := range 3 {
		w.send("mary", fmt.Sprint(n))
		w.settled()
	}
	w.net.waitFor(t, 3)
	for range 2 {
		statuses, err := w.as.Repeat(t.Context(), 10)
		must(t, err)
		for _, status := range statuses {
			if status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
		}
	}
	w.send("mary", "last")
	if got := w.net.waitFor(t, 4); !slices.Equal(got, []string{"0", "1", "2", "last"}) {
		t.Errorf("handled %q", got)
	}
}

// TestWhatWasStoredByALostCommitIsHandledWhenTheHomeserverRepeatsIt: the database has the event, but the answer to its commit was lost, so that the homeserver was told to repeat.
func TestWhatWasStoredByALostCommitIsHandledWhenTheHomeserverRepeatsIt(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary", "john")
	w.inbox.Ready()
	w.send("john", "first") // by then what was left from before has been looked for
	w.net.waitFor(t, 1)
	body := fmt.Sprintf(`{"type":"m.room.message","event_id":"$lost","room_id":%q,"sender":%q,"origin_server_ts":%d,"content":{"msgtype":"m.text","body":"stored before"}}`,
		w.rooms["mary"], w.ann.ID, time.Now().UnixMilli())
	_, err := w.db.MatrixInbox.InsertBatch(t.Context(), []database.MatrixEvent{{EventID: "$lost", RoomID: w.rooms["mary"].String(), Body: []byte(body)}})
	must(t, err)
	if status := w.put(`{"events":[` + body + `]}`); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	if got := w.net.waitFor(t, 2); !slices.Equal(got, []string{"first", "stored before"}) {
		t.Errorf("handled %q", got)
	}
}

func TestWhatCannotBeStoredIsNotAcknowledged(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary")
	w.inbox.Ready()
	w.settled()
	_, err := w.raw.Exec(t.Context(), `ALTER TABLE messenger_matrix_inbox RENAME TO elsewhere`)
	must(t, err)
	if status := w.put(`{"events":[{"event_id":"$1","room_id":"!x","type":"m.room.message","content":{}}]}`); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
	w.send("mary", "patience")
	_, err = w.raw.Exec(t.Context(), `ALTER TABLE elsewhere RENAME TO messenger_matrix_inbox`)
	must(t, err)
	if got := w.net.waitFor(t, 1); got[0] != "patience" {
		t.Errorf("handled %q", got)
	}
}

// put sends a transaction by hand and returns the status.
func (w *world) put(body string, token ...string) int {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPut, fmt.Sprintf("http://127.0.0.1:%d/_matrix/app/v1/transactions/by-hand", w.place.Port), strings.NewReader(body))
	must(w.TB, err)
	req.Header.Set("Authorization", "Bearer "+strings.Join(append(token, w.place.HSToken)[:1], ""))
	resp, err := http.DefaultClient.Do(req)
	must(w.TB, err)
	must(w.TB, resp.Body.Close())
	return resp.StatusCode
}

func TestTransactionsOfOthersAndNonsenseAreRefused(t *testing.T) {
	w := newWorld(t, inbox.Config{})
	w.inbox.Ready()
	if status := w.put(`{"events":[]}`, "wrong"); status != http.StatusUnauthorized && status != http.StatusForbidden {
		t.Errorf("with a wrong token: %d", status)
	}
	for body, want := range map[string]int{
		`{"events":`: http.StatusBadRequest,
		`[]`:         http.StatusBadRequest,
		`{}`:         http.StatusOK,
		`{"events":[1,"x",null,{},{"event_id":"$1"},{"event_id":"$\u0000","room_id":"!x"}],"ephemeral":[null],"to_device":[null]}`: http.StatusOK,
	} {
		if status := w.put(body); status != want {
			t.Errorf("%s: answered %d, want %d", body, status, want)
		}
	}
	if pending := w.inbox.Pending(); pending != 0 {
		t.Errorf("%d events are pending", pending)
	}
}

func TestTheHomeserverWaitsWhileTooManyEventsArePending(t *testing.T) {
	w := newWorld(t, inbox.Config{MaxPending: 2}, "mary")
	eventually(t, "a full inbox", func() bool { return w.inbox.Pending() >= 2 }) // the events that made the room
	w.send("mary", "late")
	if status := w.put(`{"events":[{"event_id":"$1","room_id":"!x"}]}`); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
	w.inbox.Ready()
	if got := w.net.waitFor(t, 1); got[0] != "late" {
		t.Errorf("handled %q", got)
	}
}

func TestWhatWasLeftIsHandledAtTheNextStart(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary")
	w.send("mary", "one")
	w.send("mary", "two")
	w.settled() // acknowledged, and the bridge ends without having been ready
	w.restart(inbox.Config{})
	w.inbox.Ready()
	w.net.waitFor(t, 2) // before anything new comes, which would wake the room
	w.send("mary", "three")
	if got := w.net.waitFor(t, 3); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("handled %q", got)
	}
}

func TestAHandlerMayEndBeforeTheBridgeStops(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary")
	started, gate := make(chan struct{}), make(chan struct{})
	w.net.before = func(string) { close(started); <-gate }
	w.inbox.Ready()
	slow := w.send("mary", "slow")
	<-started
	stopped := make(chan struct{})
	go func() { w.inbox.Stop(); close(stopped) }()
	eventually(t, "the refusal of transactions", func() bool { return w.put(`{}`) == http.StatusServiceUnavailable })
	close(gate)
	<-stopped
	if got := w.net.waitFor(t, 1); got[0] != "slow" {
		t.Errorf("handled %q", got)
	}
	rows, err := w.db.MatrixInbox.NextForRoom(t.Context(), w.rooms["mary"].String(), 0, 100)
	must(t, err)
	for _, row := range rows {
		if row.EventID == slow.String() {
			t.Error("the event is still pending")
		}
	}
}

func TestAnEventThatTheStoppingLibraryInterruptsStaysPending(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary")
	library, end := context.WithCancel(t.Context())
	w.br.BackgroundCtx = library
	w.net.before = func(string) { end() } // as at an orderly stop, a moment before the inbox is stopped
	w.inbox.Ready()
	evt := w.send("mary", "one")
	w.net.waitFor(t, 1)
	w.stop()
	var state string
	must(t, reopen(t, w.place).QueryRow(t.Context(), `SELECT state FROM messenger_matrix_inbox WHERE event_id=$1`, evt.String()).Scan(&state))
	if state != "pending" {
		t.Errorf("the event is %s", state)
	}
}

func TestAMessageThatBridgev2HasStoredIsNotHandledAgain(t *testing.T) {
	notHandledAgain(t, "m.room.message")
}

func TestAnEncryptedEventOfWhichTheOutboxKnowsIsNotDecryptedAgain(t *testing.T) {
	notHandledAgain(t, "m.room.encrypted", `DELETE FROM message`)
}

func TestARefusedEventIsNotHandledAgain(t *testing.T) {
	notHandledAgain(t, "m.room.message", `DELETE FROM message`, `UPDATE messenger_outbox SET state='failed', kind='refusal'`)
}

// notHandledAgain handles a message, changes what the database knows of it, and leaves it to the next run.
func notHandledAgain(t *testing.T, kind string, changes ...string) {
	t.Helper()
	w := newWorld(t, inbox.Config{}, "mary")
	w.inbox.Ready()
	evt := w.send("mary", "one")
	w.net.waitFor(t, 1)
	eventually(t, "an empty inbox", func() bool { return w.inbox.Pending() == 0 })
	w.stop()
	raw := reopen(t, w.place)
	for _, change := range changes {
		_, err := raw.Exec(t.Context(), change)
		must(t, err)
	}
	// As if the process had ended between the handling and the mark.
	_, err := raw.Exec(t.Context(), `UPDATE messenger_matrix_inbox SET state='pending', body=$2 WHERE event_id=$1`, evt.String(),
		[]byte(fmt.Sprintf(`{"event_id":%q,"room_id":%q,"type":%q,"sender":%q,"content":{"msgtype":"m.text","body":"one"}}`, evt, w.rooms["mary"], kind, w.ann.ID)))
	must(t, err)
	w.restart(inbox.Config{})
	w.inbox.Ready()
	w.send("mary", "two")
	if got := w.net.waitFor(t, 1); got[0] != "two" {
		t.Errorf("handled %q", got)
	}
	var attempts int
	must(t, w.raw.QueryRow(t.Context(), `SELECT attempts FROM messenger_matrix_inbox WHERE event_id=$1`, evt.String()).Scan(&attempts))
	if attempts != 0 {
		t.Errorf("it was given to the library %d times more", attempts)
	}
}

func TestAnEventThatAlwaysEndsTheBridgeIsSetAside(t *testing.T) {
	for _, test := range []struct {
		attempts int
		told     bool
	}{{2, true}, {3, false}} { // the third is the one in which telling ended the bridge
		t.Run(fmt.Sprint(test.attempts, " attempts before"), func(t *testing.T) {
			w := newWorld(t, inbox.Config{}, "mary")
			poisoned := w.send("mary", "poison")
			w.send("mary", "cure")
			w.settled()
			rows, err := w.db.MatrixInbox.NextForRoom(t.Context(), w.rooms["mary"].String(), 0, 100)
			must(t, err)
			for _, row := range rows {
				for range test.attempts {
					if row.EventID == poisoned.String() {
						_, err = w.db.MatrixInbox.CountAttempt(t.Context(), row.Seq)
						must(t, err)
					}
				}
			}
			told := make(chan *event.Event, 10)
			w.restart(inbox.Config{MaxAttempts: 2, OnPoisoned: func(_ context.Context, evt *event.Event, reason string) { told <- evt }})
			w.inbox.Ready()
			if got := w.net.waitFor(t, 1); got[0] != "cure" {
				t.Errorf("handled %q", got)
			}
			if len(told) == 1 != test.told {
				t.Errorf("told %d times", len(told))
			}
			if test.told {
				if evt := <-told; evt.ID != poisoned || evt.Sender != w.ann.ID {
					t.Errorf("told of %+v", evt)
				}
			}
		})
	}
}

func TestAnEventThatCannotBeDecodedIsSetAside(t *testing.T) {
	told := make(chan *event.Event, 1)
	w := newWorld(t, inbox.Config{OnPoisoned: func(_ context.Context, evt *event.Event, _ string) { told <- evt }}, "mary")
	_, err := w.db.MatrixInbox.InsertBatch(t.Context(), []database.MatrixEvent{{EventID: "$broken", RoomID: w.rooms["mary"].String(), Body: []byte(`{"content":`)}})
	must(t, err)
	w.inbox.Ready()
	w.send("mary", "next")
	w.net.waitFor(t, 1)
	if evt := <-told; evt.ID != "$broken" || evt.RoomID != w.rooms["mary"] {
		t.Errorf("told of %+v", evt)
	}
}

func TestPresenceAndTypingPassWithoutBeingStored(t *testing.T) {
	type presence struct {
		user   id.UserID
		state  event.Presence
		status string
	}
	got := make(chan presence, 10)
	w := newWorld(t, inbox.Config{OnPresence: func(_ context.Context, user id.UserID, state event.Presence, status string) {
		got <- presence{user, state, status}
	}}, "mary")
	typing := make(chan []id.UserID, 10)
	w.connector.EventProcessor.On(event.EphemeralEventTyping, func(_ context.Context, evt *event.Event) { typing <- evt.Content.AsTyping().UserIDs })
	w.inbox.Ready()
	w.ann.SetPresence(event.PresenceUnavailable, "at lunch")
	if p := <-got; p != (presence{w.ann.ID, event.PresenceUnavailable, "at lunch"}) {
		t.Errorf("presence: %+v", p)
	}
	must(t, w.ann.SetTyping(w.rooms["mary"], true))
	if users := <-typing; !slices.Equal(users, []id.UserID{w.ann.ID}) {
		t.Errorf("typing: %v", users)
	}
	w.put(fmt.Sprintf(`{"events":[],"de.sorunome.msc2409.ephemeral":[{"type":"m.presence","sender":%q,"content":{"presence":"online"}}]}`, w.ann.ID))
	if p := <-got; p.state != event.PresenceOnline {
		t.Errorf("presence under its old name: %+v", p)
	}
}

func TestKeysAreHandledBeforeTheAnswerAndNotBeforeTheStart(t *testing.T) {
	w := newWorld(t, inbox.Config{})
	var mu sync.Mutex
	var got []string
	w.connector.EventProcessor.On(event.ToDeviceEncrypted, func(_ context.Context, evt *event.Event) {
		mu.Lock()
		got = append(got, evt.ToDeviceID.String())
		mu.Unlock()
	})
	body := `{"events":[],"to_device":[{"type":"m.room.encrypted","sender":"@ann:example.org","to_device_id":"DEV","content":{}}]}`
	if status := w.put(body); status != http.StatusServiceUnavailable {
		t.Errorf("before the start: answered %d", status)
	}
	w.inbox.Ready()
	if status := w.put(body); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(got, []string{"DEV"}) {
		t.Errorf("handled %q", got)
	}
}

func TestTheRoomStateIsKeptUpToDate(t *testing.T) {
	w := newWorld(t, inbox.Config{}, "mary")
	w.inbox.Ready()
	w.ann.SetDisplayName("Ann of Green Gables")
	w.send("mary", "one")
	w.net.waitFor(t, 1)
	member, err := w.connector.StateStore.GetMember(t.Context(), w.rooms["mary"], w.ann.ID)
	must(t, err)
	if member.Membership != event.MembershipJoin {
		t.Errorf("member: %+v", member)
	}
}

func TestOtherAddressesOfTheAppserviceStillAnswer(t *testing.T) {
	w := newWorld(t, inbox.Config{})
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/_matrix/mau/live", w.place.Port))
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

func reopen(t *testing.T, p place) *dbutil.Database {
	t.Helper()
	raw, err := openBridgeDB(p)
	must(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}
