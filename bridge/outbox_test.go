package bridge

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mellium.im/xmpp/stanza"

	"matrix-messenger/bridge/history/align"
	"matrix-messenger/database"
	"matrix-messenger/messengerd"
	"matrix-messenger/xmppside"
)

func TestWhatNeverLeftIsQueuedAgainAlthoughTheDatabaseRefusesAtFirst(t *testing.T) {
	w := newOutboxWorld(t)
	ctx := t.Context()
	row := w.queue(mary, "one")
	if _, err := w.cl.c.db.Outbox.MarkWritten(ctx, "run.7", row.Seq); err != nil {
		t.Fatal(err)
	}
	row = w.row("one")
	if err := w.cl.logOutgoing(ctx, []database.OutboxMessage{row}, "run.7"); err != nil {
		t.Fatal(err)
	}
	refused := 0
	w.whenLogged("cannot be queued again yet", func() {
		if refused++; refused == 2 {
			w.exec("ALTER TABLE gone RENAME TO messenger_outbox")
		}
	})
	w.exec("ALTER TABLE messenger_outbox RENAME TO gone")
	if err := w.cl.outbox.unwritePatiently(ctx, []database.OutboxMessage{row}); err != nil || refused != 2 {
		t.Fatalf("after %d refusals: %v", refused, err)
	}
	if now := w.row("one"); now.State != database.OutboxQueued {
		t.Errorf("a message that never left is %s", now.State)
	}
	log, err := w.cl.c.db.ChatLog.Tail(ctx, w.cl.id(), mary, 10)
	if err != nil || len(log) != 0 {
		t.Errorf("and counts as said in its chat: %v %v", log, err)
	}
}

func TestWhatNeverLeftIsQueuedAgainAlsoWhenTheWorkerIsEnded(t *testing.T) {
	w := newOutboxWorld(t)
	row := w.queue(mary, "one")
	if _, err := w.cl.c.db.Outbox.MarkWritten(t.Context(), "run.7", row.Seq); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := w.cl.outbox.unwritePatiently(ended, []database.OutboxMessage{row}); err != nil {
		t.Fatal(err)
	}
	if now := w.row("one"); now.State != database.OutboxQueued {
		t.Errorf("a message that never left is %s", now.State)
	}
}

func TestWhatWaitsIsSentAsSoonAsThereIsASession(t *testing.T) {
	w := newOutboxWorld(t)
	w.queue(mary, "one")
	w.cl.outbox.kick() // without a session nothing comes of it
	w.signIn()
	w.receives(mary, "one")
}

func TestAWorkerThatIsAskedToLookOnceMoreDoesSo(t *testing.T) {
	w := newOutboxWorld(t)
	w.signIn()
	w.rests()
	o := w.cl.outbox
	o.mu.Lock()
	o.cancel = func() {} // a worker that has found nothing and has not ended yet
	o.mu.Unlock()
	o.kick()
	if o.rest(false) {
		t.Fatal("the worker ends, and nobody sends what has just come in")
	}
	if !o.rest(false) {
		t.Error("the worker never ends")
	}
}

func TestAWorkerWhoseSessionEndsHearsOfTheNextOne(t *testing.T) {
	w := newOutboxWorld(t)
	if err := w.service.SetSwitches(func(sw *messengerd.Switches) { sw.Ping = "silence" }); err != nil {
		t.Fatal(err)
	}
	w.signIn()
	w.rests()
	o := w.cl.outbox
	// The worker of the first session ends so slowly that the next session is up before.
	w.whenLogged("Sending paused", func() {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			o.mu.Lock()
			again := o.again
			o.mu.Unlock()
			if again {
				return
			}
		}
		t.Error("the worker does not hear of the next session")
	})
	w.queue(mary, "one")
	o.kick()
	w.receives(mary, "one") // its confirmation does not come, so the worker is there until the session ends
	w.queue(mary, "two")
	if err := w.service.SetSwitches(func(sw *messengerd.Switches) { sw.Ping = "result" }); err != nil {
		t.Fatal(err)
	}
	w.service.CutSessions(w.cl.id())
	w.receives(mary, "one", "two")
}

func TestAChatThatNeedNotWaitForItsArchiveAnyMoreIsWrittenIn(t *testing.T) {
	w := newOutboxWorld(t)
	h := w.cl.history
	w.cl.c.archiveTurns = newTurns(0) // nobody's turn ever comes
	w.signIn()
	w.rests()
	w.cl.c.Config.Archive.Enabled = true
	w.queue(mary, "one")
	w.cl.outbox.kick()
	w.rests()
	if row := w.row("one"); row.State != database.OutboxQueued {
		t.Fatalf("in a chat whose archive is to be read a message is %s", row.State)
	}
	h.mu.Lock()
	h.jobs[mary].heldUntil = time.Now()
	h.mu.Unlock()
	h.sweepHolds()
	w.receives(mary, "one")
}

func TestWhatTheArchiveDoesNotShowIsSentAgainWithoutFurtherCause(t *testing.T) {
	w := newOutboxWorld(t)
	w.signIn()
	w.rests()
	row := w.queue(mary, "one")
	if _, err := w.cl.c.db.Outbox.MarkWritten(t.Context(), "earlier.3", row.Seq); err != nil {
		t.Fatal(err)
	}
	if err := w.cl.outbox.settleByArchive(t.Context(), nil, []database.OutboxMessage{w.row("one")}); err != nil {
		t.Fatal(err)
	}
	w.receives(mary, "one")
}

func TestWhatWasWrittenAgainMeanwhileIsNotQueuedBecauseOfAnOldArchive(t *testing.T) {
	w := newOutboxWorld(t)
	row := w.queue(mary, "one")
	ctx := t.Context()
	if _, err := w.cl.c.db.Outbox.MarkWritten(ctx, "earlier.3", row.Seq); err != nil {
		t.Fatal(err)
	}
	absent := w.row("one")
	if err := w.cl.c.db.Outbox.Requeue(ctx, row.Seq); err != nil {
		t.Fatal(err)
	}
	if _, err := w.cl.c.db.Outbox.MarkWritten(ctx, "run.7", row.Seq); err != nil {
		t.Fatal(err)
	}
	if err := w.cl.outbox.settleByArchive(ctx, nil, []database.OutboxMessage{absent}); err != nil {
		t.Fatal(err)
	}
	if now := w.row("one"); now.State != database.OutboxWritten || now.StreamID != "run.7" {
		t.Errorf("what is on its way on the running session is %s", now.State)
	}
}

func TestAChatThatHasRestedGoesOn(t *testing.T) {
	var rests chatRests
	over := make(chan struct{})
	rests.begin(mary, time.Hour, func() { t.Error("the longer rest is over") })
	rests.begin(mary, time.Millisecond, func() { t.Error("a shorter rest ended the longer one") })
	rests.begin(john, time.Millisecond, func() { close(over) })
	select {
	case <-over:
	case <-time.After(patience):
		t.Fatal("nobody hears that a chat may go on")
	}
	if now := rests.now(); len(now) != 1 || now[0] != mary {
		t.Errorf("%q rest", now)
	}
}

func TestOfOneChatNoMoreIsOnItsWayThanItsArchiveCanShow(t *testing.T) {
	w := newOutboxWorld(t)
	if err := w.service.SetSwitches(func(sw *messengerd.Switches) { sw.Ping = "silence" }); err != nil {
		t.Fatal(err)
	}
	var first []string
	for i := range 15 {
		text := fmt.Sprintf("message %02d", i)
		w.queue(mary, text)
		if i < 10 {
			first = append(first, text)
		}
	}
	w.queue(john, "not held up by that")
	w.signIn()
	w.receives(mary, first...)
	w.receives(john, "not held up by that")
	on, err := w.cl.c.db.Outbox.Unconfirmed(t.Context(), w.cl.id(), mary)
	if err != nil || len(on) != 10 {
		t.Errorf("%d messages are on their way (%v)", len(on), err)
	}
}

func TestAChatRestsInWhichTheServiceWantsAMessageLater(t *testing.T) {
	w := newOutboxWorld(t)
	ctx, o := t.Context(), w.cl.outbox
	row := w.queue(mary, "one")
	if _, err := w.cl.c.db.Outbox.MarkWritten(ctx, "run.7", row.Seq); err != nil {
		t.Fatal(err)
	}
	later := xmppside.MessageError{ID: "one", Err: stanza.Error{Type: stanza.Wait, Condition: stanza.ResourceConstraint}}
	if err := o.refused(ctx, later); err != nil {
		t.Fatal(err)
	}
	if now := w.row("one"); now.State != database.OutboxQueued {
		t.Fatalf("what the service wants later is %s", now.State)
	}
	w.queue(mary, "two")
	w.queue(john, "three")
	rows, err := o.next(ctx)
	if err != nil || len(rows) != 1 || rows[0].StanzaID != "three" {
		t.Errorf("written next are %+v (%v)", rows, err)
	}
}

func TestTheRestOfAMessageIsNotSentWhenAPartOfItIsRefused(t *testing.T) {
	w := newOutboxWorld(t)
	ctx := t.Context()
	_, err := w.cl.c.db.Outbox.Enqueue(ctx, []database.OutboxMessage{
		{LoginID: w.cl.id(), ChatID: mary, EventID: "$long", StanzaID: "first", Parts: 2, Body: []byte("first")},
		{LoginID: w.cl.id(), ChatID: mary, EventID: "$long", StanzaID: "second", Part: 1, Parts: 2, Body: []byte("second")},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.queue(mary, "another message")
	if _, err = w.cl.c.db.Outbox.MarkWritten(ctx, "run.7", w.row("first").Seq); err != nil {
		t.Fatal(err)
	}
	refused := xmppside.MessageError{ID: "first", Err: stanza.Error{Type: stanza.Cancel, Condition: stanza.NotAcceptable}}
	if err = w.cl.outbox.refused(ctx, refused); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"first", "second"} {
		if now := w.row(part); now.State != database.OutboxFailed {
			t.Errorf("the %s part is %s", part, now.State)
		}
	}
	w.signIn()
	w.receives(mary, "another message")
}

func TestTheArchiveDoesNotBringBackWhatEndedTheConnection(t *testing.T) {
	w := newOutboxWorld(t)
	ctx := t.Context()
	for _, text := range []string{"over this", "after that"} {
		if _, err := w.cl.c.db.Outbox.MarkWritten(ctx, "earlier.3", w.queue(mary, text).Seq); err != nil {
			t.Fatal(err)
		}
	}
	w.cl.outbox.suspect = "over this"
	known := &recollection{chat: mary, stream: "run.7", unconfirmed: []database.OutboxMessage{w.row("over this"), w.row("after that")}}
	if err := w.cl.history.settle(ctx, known, align.Result{Absent: []string{"over this", "after that"}}); err != nil {
		t.Fatal(err)
	}
	if now := w.row("over this"); now.State != database.OutboxWritten {
		t.Errorf("what ended the connection is %s", now.State)
	}
	if now := w.row("after that"); now.State != database.OutboxQueued {
		t.Errorf("what did not arrive because of that is %s", now.State)
	}
}
