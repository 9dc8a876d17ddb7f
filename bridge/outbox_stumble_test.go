package bridge

import (
	"sync/atomic"
	"testing"
	"time"

	"matrix-messenger/database"
)

// unreadable makes the database fail over every reading of what it holds about John, until readable.
func (w *outboxWorld) unreadable() {
	w.t.Helper()
	w.exec(`INSERT INTO messenger_contact (login_id, jid, jid_as_sent, in_roster, name, subscription, ask, roster_groups, nick, vcard_name, email,
		photo_hash, avatar_mxc, vcard_fetched_at, vcard_error, search_text, updated_at)
		VALUES ($1, $2, $2, true, '', 'both', '', '[]', '', '', '', '', '', 0, '', '', 0)`, w.cl.id(), john)
	// In one go, because another connection may not have noticed the new name yet. The smallest number has no absolute value.
	w.exec(`ALTER TABLE messenger_contact RENAME TO whole_contact; CREATE VIEW messenger_contact AS SELECT login_id, jid,
		CASE WHEN jid='` + john + `' THEN abs(-9223372036854775808) ELSE jid_as_sent END AS jid_as_sent, in_roster, name, subscription, ask,
		roster_groups, nick, vcard_name, email, photo_hash, avatar_mxc, vcard_fetched_at, vcard_error, search_text, updated_at FROM whole_contact`)
}

func (w *outboxWorld) readable() {
	w.exec(`DROP VIEW messenger_contact; ALTER TABLE whole_contact RENAME TO messenger_contact`)
}

func TestAChatOfWhichNothingCanBeReadHoldsUpNoOther(t *testing.T) {
	w := newOutboxWorld(t)
	w.unreadable()
	w.queue(mary, "one")
	w.queue(john, "two")
	w.queue(mary, "three")
	w.signIn()
	w.receives(mary, "one", "three")
	w.queue(mary, "four")
	w.cl.outbox.kick()
	w.receives(mary, "one", "three", "four")
	if row := w.row("two"); row.State != database.OutboxQueued || row.Attempts != 0 {
		t.Errorf("what cannot be sent yet is %s after %d attempts", row.State, row.Attempts)
	}
	w.readable()
	w.receives(john, "two")
	w.receives(mary, "one", "three", "four")
}

func TestAChatOfWhichNothingCanBeReadIsGivenUpAndOnlyThat(t *testing.T) {
	w := newOutboxWorld(t)
	w.cl.c.untold = make(chan struct{}, 1)
	w.unreadable()
	w.cl.outbox.stumbles = map[string]*tries{john: {failed: maxUnclear - 1, unclear: maxUnclear - 1}}
	w.queue(john, "one")
	w.queue(john, "two")
	w.queue(mary, "three")
	w.signIn()
	w.receives(mary, "three")
	select {
	case <-w.cl.c.untold:
	case <-time.After(patience):
		t.Fatal("nobody is told that messages were given up")
	}
	for _, text := range []string{"one", "two"} {
		if row := w.row(text); row.State != database.OutboxFailed || row.Error != noticeUnreadable || !row.ToldAt.IsZero() {
			t.Errorf("%q is %s with %q", text, row.State, row.Error)
		}
	}
	w.readable()
	w.queue(john, "four")
	w.cl.outbox.kick()
	w.receives(john, "four")
}

func TestNobodysMessagesAreGivenUpWhileNoContactCanBeRead(t *testing.T) {
	w := newOutboxWorld(t)
	tried := make(chan struct{})
	var count atomic.Int32
	w.whenLogged("It cannot be read where", func() {
		if count.Add(1) == 3 { // both chats, and one of them again
			close(tried)
		}
	})
	w.exec(`ALTER TABLE messenger_contact RENAME TO gone`)
	w.cl.outbox.stumbles = map[string]*tries{}
	for _, chat := range []string{john, mary} {
		w.cl.outbox.stumbles[chat] = &tries{unclear: maxUnclear - 1}
	}
	w.queue(john, "one")
	w.queue(mary, "two")
	w.signIn()
	select {
	case <-tried:
	case <-time.After(patience):
		t.Fatal("nothing is tried again")
	}
	for _, text := range []string{"one", "two"} {
		if row := w.row(text); row.State != database.OutboxQueued {
			t.Errorf("%q is %s", text, row.State)
		}
	}
	w.exec(`ALTER TABLE gone RENAME TO messenger_contact`)
	w.receives(john, "one")
	w.receives(mary, "two")
	w.rests()
	if left := len(w.cl.outbox.stumbles); left != 0 {
		t.Errorf("%d chats count as unreadable", left)
	}
}
