package scenario

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// BridgeURL is where the bridge's own web server answers.
func (s *Scenario) BridgeURL() string { return s.bridgeURL }

// ContactReads waits for the contact's next text, whatever it is, and returns it. It counts as expected from then on.
func (s *Scenario) ContactReads(name string) string {
	s.t.Helper()
	c := s.contact(name)
	ctx, cancel := s.step()
	defer cancel()
	got, err := s.Contact(name).WaitReceived(ctx, len(c.received)+1-len(c.earlier))
	all := s.bodies(c, got)
	if err != nil || len(all) <= len(c.received) || !slices.Equal(all[:len(c.received)], c.received) {
		s.t.Fatalf("%s received\n\t%s\ninstead of one text after\n\t%s\n%v", name, strings.Join(all, "\n\t"), strings.Join(c.received, "\n\t"), err)
	}
	c.received = all[:len(c.received)+1]
	return all[len(c.received)-1]
}

// UserSendsEvent sends an event of any type into the room with a contact.
func (s *Scenario) UserSendsEvent(name string, eventType event.Type, content any) id.EventID {
	s.t.Helper()
	return s.sent(s.Alice.SendEvent(s.Room(name), eventType, content))
}

// NoticeOn waits for a notice of the bot that is a reply to an event and contains a text. It returns the whole body.
func (s *Scenario) NoticeOn(name string, target id.EventID, part string) string {
	s.t.Helper()
	room := s.Room(name)
	var found *homeserver.Event
	s.within("a notice on "+target.String()+" that says "+part, func(ctx context.Context) (err error) {
		found, err = s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Sender == s.Bot() && ev.MsgType() == event.MsgNotice && ev.Message().RelatesTo.GetReplyTo() == target && strings.Contains(ev.Body(), part)
		})
		return err
	})
	return found.Body()
}

// NoticesOn are the notices of the bot so far that are replies to an event.
func (s *Scenario) NoticesOn(name string, target id.EventID) []string {
	s.t.Helper()
	var texts []string
	for _, ev := range s.Alice.Messages(s.Room(name)) {
		if ev.Sender == s.Bot() && ev.Message().RelatesTo.GetReplyTo() == target {
			texts = append(texts, ev.Body())
		}
	}
	return texts
}

// StatusIs waits until an event has a status event with this status (matrix.message_status_events has to be on).
func (s *Scenario) StatusIs(name string, target id.EventID, status event.MessageStatus) {
	s.t.Helper()
	room := s.Room(name)
	s.within("the status "+string(status)+" of "+target.String(), func(ctx context.Context) error {
		_, err := s.Alice.WaitEvent(ctx, room, func(ev *homeserver.Event) bool {
			of, is, ok := statusOf(ev)
			return ok && of == target && is == status
		})
		return err
	})
}

// Statuses are the statuses an event has had so far, oldest first.
func (s *Scenario) Statuses(name string, target id.EventID) []event.MessageStatus {
	s.t.Helper()
	var all []event.MessageStatus
	for _, ev := range s.Alice.Timeline(s.Room(name)) {
		if of, is, ok := statusOf(ev); ok && of == target {
			all = append(all, is)
		}
	}
	return all
}

func statusOf(ev *homeserver.Event) (target id.EventID, status event.MessageStatus, ok bool) {
	if ev.Type != event.BeeperMessageStatus.Type {
		return "", "", false
	}
	var content event.BeeperMessageStatusEventContent
	if json.Unmarshal(ev.Content, &content) != nil {
		return "", "", false
	}
	return content.RelatesTo.EventID, content.Status, true
}

// BridgeHasHandledWhatIsIn waits until the bridge has handled everything that the room with a contact holds: a message of a kind that it refuses comes
// last, and a room's events are handled in order.
func (s *Scenario) BridgeHasHandledWhatIsIn(name string) {
	s.t.Helper()
	last := s.UserPosts(name, &event.MessageEventContent{MsgType: "com.example.unknown", Body: "unknown"})
	s.NoticeOn(name, last, "cannot show this kind of message")
}

// BotHasRead waits until the bot's read receipt, which stands for delivery, is on an event.
func (s *Scenario) BotHasRead(name string, target id.EventID) {
	s.t.Helper()
	room := s.Room(name)
	s.within("a delivery receipt for "+target.String(), func(ctx context.Context) error {
		return s.HS.WaitReceipt(ctx, room, s.Bot(), target)
	})
}
