package bridge

import (
	"testing"

	"mellium.im/xmpp/stanza"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// What becomes of a message between two steps of the worker, from another side.

func TestWhatIsGivenUpJustBeforeItIsWrittenDoesNotLeave(t *testing.T) {
	w := newOutboxWorld(t)
	w.signIn()
	w.rests()
	burst := []database.OutboxMessage{w.queue(mary, "one"), w.queue(mary, "two"), w.queue(mary, "three")}
	if _, err := w.cl.c.db.Outbox.Fail(t.Context(), "it was not sent.", burst[1].Seq); err != nil {
		t.Fatal(err)
	}
	if err := w.cl.outbox.send(t.Context(), w.account.Session(), burst, map[string]string{mary: mary}); err != nil {
		t.Fatal(err)
	}
	w.receives(mary, "one", "three")
	if row := w.row("two"); row.State != database.OutboxFailed || row.Attempts != 0 {
		t.Errorf("what was given up is %s after %d attempts", row.State, row.Attempts)
	}
	log, err := w.cl.c.db.ChatLog.Tail(t.Context(), w.cl.id(), mary, 10)
	if err != nil || len(log) != 2 {
		t.Errorf("%d messages count as said instead of 2 (%v)", len(log), err)
	}
}

func TestABurstOfWhichEverythingWasGivenUpIsNone(t *testing.T) {
	w := newOutboxWorld(t)
	w.signIn()
	w.rests()
	row := w.queue(mary, "one")
	if _, err := w.cl.c.db.Outbox.Fail(t.Context(), "it was not sent.", row.Seq); err != nil {
		t.Fatal(err)
	}
	if err := w.cl.outbox.send(t.Context(), w.account.Session(), []database.OutboxMessage{row}, map[string]string{mary: mary}); err != nil {
		t.Fatal(err)
	}
	w.queue(mary, "two")
	w.cl.outbox.kick()
	w.receives(mary, "two")
}

func TestAMessageThatIsConfirmedWhileTheServiceWantsItLaterIsNotLost(t *testing.T) {
	w := newOutboxWorld(t)
	ctx := t.Context()
	row := w.queue(mary, "one")
	if _, err := w.cl.c.db.Outbox.MarkWritten(ctx, "run.7", row.Seq); err != nil {
		t.Fatal(err)
	}
	row = w.row("one") // as the refusal finds it
	if _, err := w.cl.c.db.Outbox.MarkConfirmed(ctx, "run.7", row.Seq); err != nil {
		t.Fatal(err)
	}
	if isLater, err := w.cl.outbox.sendLater(ctx, row); err != nil || isLater {
		t.Fatalf("a message whose text is gone is to be sent later: %v (%v)", isLater, err)
	}
	later := xmppside.MessageError{ID: "one", Err: stanza.Error{Type: stanza.Wait, Condition: stanza.ResourceConstraint}}
	if err := w.cl.outbox.refused(ctx, later); err != nil {
		t.Fatal(err)
	}
	if now := w.row("one"); now.State != database.OutboxFailed || !now.ToldAt.IsZero() {
		t.Errorf("its sender is not told: it is %s", now.State)
	}
}
