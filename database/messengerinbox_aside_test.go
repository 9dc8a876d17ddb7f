package database

import (
	"testing"
	"time"
)

func TestWhatWasSetAsideComesBackAtItsPlace(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		put := func(login, chat, key string) int64 {
			t.Helper()
			seq, _, err := db.MessengerInbox.Put(ctx, Incoming{LoginID: login, ChatID: chat, DedupeKey: key, Kind: "message"})
			must(t, err)
			return seq
		}
		first := put("me", "mary", "1")
		put("me", "mary", "2")
		for _, seq := range []int64{first, put("me", "john", "3"), put("you", "mary", "4")} {
			must(t, db.MessengerInbox.SetAside(ctx, seq, "refused"))
		}
		chats, err := db.MessengerInbox.Restore(ctx, "me", "zoe")
		must(t, err)
		equal(t, "of a chat without any", len(chats), 0)
		chats, err = db.MessengerInbox.Restore(ctx, "me", "mary")
		must(t, err)
		equalList(t, "of one chat", chats, []string{"mary"})
		next, _, err := db.MessengerInbox.NextForChat(ctx, "me", "mary")
		must(t, err)
		equal(t, "the first is first again", next.DedupeKey, "1")
		equal(t, "why it was set aside", next.Error, "refused")
		chats, err = db.MessengerInbox.Restore(ctx, "me", "")
		must(t, err)
		equalList(t, "of all chats", chats, []string{"john"})
		depth, err := db.MessengerInbox.Depth(ctx)
		must(t, err)
		equal(t, "pending", depth, 3)
	})
}

func TestANoticeOfWhatWasSetAsideIsKeptUntilItIsToldAndOnceForAReason(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		note := func(chat, reason string, second int64) {
			t.Helper()
			must(t, db.Aside.Note(ctx, AsideNotice{LoginID: "me", ChatID: chat, Reason: reason, Stamp: time.Unix(second, 0)}))
		}
		untold := func(chat string) AsideNotice {
			t.Helper()
			n, _, err := db.Aside.UntoldOf(ctx, "me", chat)
			must(t, err)
			return n
		}
		count := func() int {
			t.Helper()
			all, err := db.Aside.Untold(ctx, 10)
			must(t, err)
			return len(all)
		}
		forget := func(chat string, want bool) {
			t.Helper()
			forgotten, err := db.Aside.Forget(ctx, "me", chat)
			must(t, err)
			equal(t, "forgotten", forgotten, want)
		}
		note("mary", "M_FORBIDDEN", 1)
		note("mary", "M_FORBIDDEN", 2)
		note("john", "", 3)
		equal(t, "to be told", count(), 2)
		equal(t, "about the first", untold("mary").Stamp.Unix(), 1)
		forget("mary", false)
		must(t, db.Aside.MarkTold(ctx, untold("mary")))
		note("mary", "M_FORBIDDEN", 4)
		equal(t, "to be told once more", untold("mary").ChatID, "")

		note("mary", "M_TOO_LARGE", 5)
		older := untold("mary")
		note("mary", "M_FORBIDDEN", 6)
		must(t, db.Aside.MarkTold(ctx, older))
		equal(t, "what took its place", untold("mary").Stamp.Unix(), 6)
		must(t, db.Aside.MarkTold(ctx, untold("mary")))
		forget("mary", true)
		note("mary", "M_FORBIDDEN", 7)
		equal(t, "news again", untold("mary").Stamp.Unix(), 7)
		chats, err := db.Aside.Chats(ctx)
		must(t, err)
		equal(t, "chats with a notice", len(chats), 2)
	})
}
