package bridge

import (
	"context"
	"fmt"
	"testing"
	"time"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

func TestWhatIsTriedAgainStandsForTheArchiveWhereItWasSaid(t *testing.T) {
	h := newTestHistory(t)
	withDatabase(t, h.cl)
	h.cl.c.metrics = newMetrics()
	ctx, in, db := t.Context(), h.cl.inbound, h.cl.c.db
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	stamp := time.Now().Add(-time.Hour).Truncate(time.Second)
	said := incoming{From: "mary", Text: "old", Time: stamp, Stamp: stamp, Source: sourceOffline}
	must(in.put(ctx, "mary", kindMessage, "old", said))
	row, _, err := db.MessengerInbox.NextForChat(ctx, h.cl.id(), "mary")
	must(err)
	must(in.end(ctx, row, true, said, func(ctx context.Context) error { return db.MessengerInbox.SetAside(ctx, row.Seq, "refused") }))

	hash, err := h.cl.textHash("mary", "old")
	must(err)
	if times, err := h.timesKnown(ctx, kindMessage, hash, said); err != nil || times != 1 {
		t.Errorf("it is known %d times, so that the same words said twice would be dropped (%v)", times, err)
	}

	_, err = db.MessengerInbox.Restore(ctx, h.cl.id(), "mary")
	must(err)
	must(in.put(ctx, "mary", kindMessage, "new", incoming{From: "mary", Text: "new", Time: time.Now()}))
	row, _, err = db.MessengerInbox.NextForChat(ctx, h.cl.id(), "mary")
	must(err)
	if row.DedupeKey != "old" || !wasAside(row) {
		t.Fatalf("the first row is %+v", row)
	}
	in.chats["mary"] = &chatWorker{running: true, busy: true, row: row.Seq}
	for n := range database.DefaultChatLogLength + 1 { // enough to push it out of the log
		other := database.Incoming{LoginID: h.cl.id(), ChatID: "mary", DedupeKey: fmt.Sprint(n), Kind: kindMessage}
		must(h.cl.logIncoming(ctx, other, incoming{Text: fmt.Sprint(n), Time: time.Now()}))
	}
	h.session = 0
	known, err := h.recall(ctx, &xmppside.Session{}, "mary")
	must(err)
	if len(known.pending) != 1 || known.pending[0].DedupeKey != "new" || known.fixed != 0 || known.lastRow != known.pending[0].Seq {
		t.Errorf("the queue is taken for %+v, of which %d stay", known.pending, known.fixed)
	}

	must(in.done(ctx, row, said))
	log, err := db.ChatLog.Tail(ctx, h.cl.id(), "mary", 100)
	must(err)
	for _, entry := range log {
		if entry.Key == "old" {
			t.Error("it stands behind what was said after it")
		}
	}
}
