package database

import "testing"

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
		equal(t, "its error", next.Error, "")
		chats, err = db.MessengerInbox.Restore(ctx, "me", "")
		must(t, err)
		equalList(t, "of all chats", chats, []string{"john"})
		depth, err := db.MessengerInbox.Depth(ctx)
		must(t, err)
		equal(t, "pending", depth, 3)
	})
}
