package database

import (
	"fmt"
	"testing"
	"time"
)

func TestAChatKeepsItsNewestMessages(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		stamp := time.UnixMilli(1700000000000).UTC()
		for n := range 8 {
			must(t, db.ChatLog.Append(ctx, 5, LogEntry{LoginID: "me", ChatID: "mary", Key: fmt.Sprint(n), Mine: n%2 == 0, TextHash: "h", Stamp: stamp.Add(time.Duration(n) * time.Second), Source: "live", State: "new"}))
		}
		must(t, db.ChatLog.Append(ctx, 5, LogEntry{LoginID: "me", ChatID: "mary", Key: "7"}, LogEntry{LoginID: "me", ChatID: "john", Key: "x"}))
		tail, err := db.ChatLog.Tail(ctx, "me", "mary", 10)
		must(t, err)
		var keys []string
		for _, entry := range tail {
			keys = append(keys, entry.Key)
		}
		equalList(t, "keys", keys, []string{"3", "4", "5", "6", "7"})
		must(t, db.ChatLog.SetState(ctx, "me", "mary", "7", "confirmed"))
		tail, err = db.ChatLog.Tail(ctx, "me", "mary", 1)
		must(t, err)
		tail[0].Seq = 0
		equal(t, "newest", tail[0], LogEntry{LoginID: "me", ChatID: "mary", Key: "7", TextHash: "h", Stamp: stamp.Add(7 * time.Second), Source: "live", State: "confirmed"})
		must(t, db.ChatLog.Delete(ctx, "me", "mary", "7"))
		tail, err = db.ChatLog.Tail(ctx, "me", "mary", 1)
		must(t, err)
		equal(t, "newest without 7", tail[0].Key, "6")
		must(t, db.ChatLog.Append(ctx, 5, LogEntry{LoginID: "me", ChatID: "john", Key: "y", Stamp: stamp.Add(time.Minute)}))
		chats, err := db.ChatLog.Recent(ctx, "me", stamp.Add(-time.Second), 2)
		must(t, err)
		equalList(t, "chats", chats, []ChatActivity{{ChatID: "john", Last: stamp.Add(time.Minute)}, {ChatID: "mary", Last: stamp.Add(6 * time.Second)}})
		chats, err = db.ChatLog.Recent(ctx, "me", stamp.Add(30*time.Second), 2)
		must(t, err)
		equalList(t, "recent chats", chats, []ChatActivity{{ChatID: "john", Last: stamp.Add(time.Minute)}})
	})
}

func item(jid, name string) RosterItem {
	return RosterItem{JID: jid, JIDAsSent: jid, Name: name, Subscription: "both", Groups: []string{"Friends & more"}}
}

func jids(contacts []Contact) (list []string) {
	for _, contact := range contacts {
		list = append(list, contact.JID)
	}
	return list
}

func TestAContactWithDamagedGroupsIsReadAndMendedByTheNextRoster(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		_, err := db.Contact.ReplaceRoster(ctx, "me", []RosterItem{item("a", "Anna"), item("b", "Bert")})
		must(t, err)
		_, err = db.exec(ctx, `UPDATE messenger_contact SET roster_groups='[damaged' WHERE jid='a'`)
		must(t, err)
		anna, found, err := db.Contact.Get(ctx, "me", "a")
		must(t, err)
		equal(t, "found", found, true)
		equal(t, "name", anna.Name, "Anna")
		equalList(t, "groups", anna.Groups, nil)
		diff, err := db.Contact.ReplaceRoster(ctx, "me", []RosterItem{item("a", "Anna"), item("b", "Bert")})
		must(t, err)
		equalList(t, "changed", jids(diff.Changed), []string{"a"})
		anna, _, err = db.Contact.Get(ctx, "me", "a")
		must(t, err)
		equalList(t, "groups", anna.Groups, []string{"Friends & more"})
	})
}

func TestANewRosterTellsWhatChanged(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		diff, err := db.Contact.ReplaceRoster(ctx, "me", []RosterItem{item("a", "Anna"), item("b", "Bert"), item("c", "Carl")})
		must(t, err)
		equalList(t, "added", jids(diff.Added), []string{"a", "b", "c"})
		_, _, err = db.Contact.Update(ctx, "me", "b", func(c *Contact) { c.Email = "Bert@Example.com"; c.PhotoHash = "h" })
		must(t, err)
		diff, err = db.Contact.ReplaceRoster(ctx, "me", []RosterItem{item("a", "Anna"), item("b", "Berta"), item("d", "Dora")})
		must(t, err)
		equalList(t, "added", jids(diff.Added), []string{"d"})
		equalList(t, "changed", jids(diff.Changed), []string{"b"})
		equalList(t, "removed", jids(diff.Removed), []string{"c"})
		diff, err = db.Contact.ReplaceRoster(ctx, "me", []RosterItem{item("d", "Dora"), item("a", "Anna"), item("b", "Berta")})
		must(t, err)
		equal(t, "changes of the same roster", len(diff.Added)+len(diff.Changed)+len(diff.Removed), 0)

		bert, found, err := db.Contact.ByEmail(ctx, "me", "BERT@example.com")
		must(t, err)
		if !found || bert.Name != "Berta" || bert.PhotoHash != "h" || bert.Groups[0] != "Friends & more" {
			t.Errorf("found %+v", bert)
		}
		carl, found, err := db.Contact.Get(ctx, "me", "c")
		must(t, err)
		if !found || carl.InRoster || carl.Name != "Carl" {
			t.Errorf("who left the roster: %+v", carl)
		}
		diff, err = db.Contact.ReplaceRoster(ctx, "me", []RosterItem{item("c", "Carl")})
		must(t, err)
		equalList(t, "added again", jids(diff.Added), []string{"c"})
		equalList(t, "removed", jids(diff.Removed), []string{"a", "b", "d"})
	})
}

func TestContactsAreChangedAndFound(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		change := func(c *Contact) { c.Nick, c.VCardName = "Ödön 100%", "Straße_1" }
		_, changed, err := db.Contact.Update(ctx, "me", "12345@example.com", change)
		must(t, err)
		equal(t, "changed at first", changed, true)
		contact, changed, err := db.Contact.Update(ctx, "me", "12345@example.com", change)
		must(t, err)
		equal(t, "changed again", changed, false)
		equal(t, "subscription of a stranger", contact.Subscription, "none")
		for text, want := range map[string]int{"öDÖN": 1, "100%": 1, "200%": 0, "e_1": 1, "straße": 1, "1234": 1, "%": 1, "_": 1, `\`: 0, "": 1, "x": 1, "zz": 0} {
			found, err := db.Contact.Search(ctx, "me", text, 10)
			must(t, err)
			equal(t, fmt.Sprintf("search for %q", text), len(found), want)
		}
	})
}

func TestPresencesAreKeptWhileSomebodyIsThere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		stamp := time.UnixMilli(1700000000000).UTC()
		first := Presence{LoginID: "me", JID: "a", Availability: "away", Status: "lunch", UpdatedAt: stamp}
		other := Presence{LoginID: "me", JID: "b", Availability: "dnd", UpdatedAt: stamp}
		must(t, db.Presence.Put(ctx, other, first, Presence{LoginID: "you", JID: "a", Availability: "dnd"}))
		now := first
		now.Availability, now.Status = "available", ""
		must(t, db.Presence.Put(ctx, now))
		list, err := db.Presence.List(ctx, "me")
		must(t, err)
		equalList(t, "presences", list, []Presence{now, other})
		must(t, db.Presence.Delete(ctx, "me", "a"))
		list, err = db.Presence.List(ctx, "me")
		must(t, err)
		equalList(t, "presences without a", list, []Presence{other})
	})
}

func TestARequestIsOpenOnceAndMayComeAgainAfterADecision(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		ask := func(nick string, want bool) Request {
			t.Helper()
			stored, fresh, err := db.Request.Open(ctx, Request{LoginID: "me", JID: "a", JIDAsSent: "A", Direction: RequestIn, Nick: nick})
			must(t, err)
			equal(t, "fresh", fresh, want)
			return stored
		}
		ask("Anna", true)
		must(t, db.Request.SetRoom(ctx, "me", "a", RequestIn, "!room"))
		must(t, db.Request.MarkNotified(ctx, "me", "a", RequestIn))
		repeated := ask("Anna B.", false)
		if repeated.RoomID != "!room" || repeated.Nick != "Anna B." || repeated.NotifiedAt.IsZero() || repeated.State != RequestPending {
			t.Errorf("the repeated request: %+v", repeated)
		}
		byRoom, found, err := db.Request.ByRoom(ctx, "!room")
		must(t, err)
		if !found || byRoom.Nick != "Anna B." || byRoom.JIDAsSent != "A" {
			t.Errorf("by room: %+v", byRoom)
		}
		for _, want := range []bool{true, false} {
			moved, err := db.Request.Decide(ctx, "me", "a", RequestIn, RequestDeclining, RequestPending)
			must(t, err)
			equal(t, "decided", moved, want)
		}
		ask("Anna", false) // decided by the user, not yet told to the service
		moved, err := db.Request.Decide(ctx, "me", "a", RequestIn, RequestDeclined, RequestPending, RequestDeclining)
		must(t, err)
		equal(t, "declined", moved, true)
		again := ask("Anna", true)
		equal(t, "room of the new request", again.RoomID, "")
		_, _, err = db.Request.Open(ctx, Request{LoginID: "me", JID: "b", Direction: RequestOut})
		must(t, err)
		for _, test := range []struct {
			direction RequestDirection
			state     RequestState
			want      int
		}{{"", "", 2}, {RequestIn, "", 1}, {RequestOut, RequestPending, 1}, {RequestIn, RequestDeclined, 0}} {
			list, err := db.Request.List(ctx, "me", test.direction, test.state)
			must(t, err)
			equal(t, fmt.Sprintf("requests %q %q", test.direction, test.state), len(list), test.want)
		}
		must(t, db.Request.Delete(ctx, "me", "a", RequestIn))
		_, found, err = db.Request.Get(ctx, "me", "a", RequestIn)
		must(t, err)
		equal(t, "found", found, false)
	})
}

func TestHeldMessagesAreBoundedAndReleasedInOrder(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		for n := range 3 + recalledHeld + 2 {
			kept, err := db.Held.Put(ctx, 3, HeldMessage{LoginID: "me", JID: "a", DedupeKey: fmt.Sprint(n), Body: []byte{byte(n)}})
			must(t, err)
			equal(t, "kept", kept, n < 3)
		}
		all, err := db.Held.ListAll(ctx, "me", "a")
		must(t, err)
		equal(t, "to be recognised", len(all), 3+recalledHeld)
		equal(t, "the oldest of those beyond", all[3].DedupeKey, "5")
		count, beyond, err := db.Held.Release(ctx, "me", "a", "chat", "message")
		must(t, err)
		equal(t, "released", count, 3)
		equal(t, "some were not kept", beyond, true)
		rows, err := db.MessengerInbox.LastForChat(ctx, "me", "chat", 10)
		must(t, err)
		for n, row := range rows {
			equal(t, "key", row.DedupeKey, fmt.Sprint(n))
		}
		held, err := db.Held.ListAll(ctx, "me", "a")
		must(t, err)
		equal(t, "still held", len(held), 0)
	})
}

func TestSettingsAreKept(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		empty, err := db.Setting.Get(ctx, "me")
		must(t, err)
		equal(t, "without any", empty, Setting{LoginID: "me"})
		stamp := time.UnixMilli(1700000000000).UTC()
		_, err = db.Setting.Update(ctx, "me", func(s *Setting) { s.PresenceMode = "busy" })
		must(t, err)
		_, err = db.Setting.Update(ctx, "me", func(s *Setting) { s.ListedAt = stamp; s.ClockOffset = -1500 * time.Millisecond })
		must(t, err)
		got, err := db.Setting.Get(ctx, "me")
		must(t, err)
		got.UpdatedAt = time.Time{}
		equal(t, "settings", got, Setting{LoginID: "me", PresenceMode: "busy", ListedAt: stamp, ClockOffset: -1500 * time.Millisecond})
	})
}

func TestADepartureIsKeptUntilItHasComeAbout(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *Database) {
		ctx := t.Context()
		left := Departure{LoginID: "me", ChatID: "mary", RoomID: "!room", Member: "@bot"}
		must(t, db.Departure.Note(ctx, left))
		left.Member = "@alice"
		must(t, db.Departure.Note(ctx, left))
		all, err := db.Departure.All(ctx)
		must(t, err)
		equalList(t, "departures", all, []Departure{left})
		must(t, db.Departure.Forget(ctx, "!room"))
		all, err = db.Departure.All(ctx)
		must(t, err)
		equal(t, "afterwards", len(all), 0)
	})
}
