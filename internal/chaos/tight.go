package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
)

// Round says how long a round is.
type Round struct {
	Seed     uint64
	Chats    int
	Messages int // each way in each chat
	Faults   int
}

// roundPatience is the safety net of a round.
const roundPatience = 90 * time.Second

// Report is what a round came to.
type Report struct {
	Round
	Struck  []string // faults in their order
	Said    int      // messages of both sides
	Trouble []string // what must not be; empty when the promise was kept
	Metrics map[string]float64
}

// Tight runs a round in which the archive can always tell. Nothing may be lost, repeated or out of order, nothing left in doubt, and nothing needs to be told.
func Tight(t testing.TB, round Round) Report {
	t.Helper()
	w := start(t, round.Seed, round.Chats, nil)
	ctx, cancel := context.WithTimeout(context.Background(), roundPatience)
	defer cancel()
	report := Report{Round: round}
	total := int64(2 * round.Chats * round.Messages)
	faults := schedule(w.rand, round.Faults, w.disk != nil)
	share := total / int64(len(faults)+1)
	w.allow(share)
	ended := w.talk(ctx, round.Messages)
	for i, f := range faults {
		// Each fault comes at any moment of its share of the messages, and the next share may be sent while it is on.
		from := int64(i) * share
		w.waitSaid(ctx, from+w.rand.Int64N(share), 2*time.Second)
		w.pause(20 * time.Millisecond)
		w.allow(from + 2*share)
		report.Struck = append(report.Struck, f.name)
		t.Logf("after %d of %d messages: %s", w.sent.Load(), total, f.name)
		if err := f.strike(ctx, w); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
	}
	w.allow(total)
	for range 2 * len(w.chats) {
		if err := <-ended; err != nil {
			report.Trouble = append(report.Trouble, err.Error())
		}
	}
	w.talks.Wait()
	if err := w.metrics.waitIdle(ctx); err != nil {
		report.Trouble = append(report.Trouble, err.Error())
	}
	report.Said = int(w.sent.Load())
	report.Trouble = append(report.Trouble, w.countEverything(round.Messages)...)
	report.Metrics = w.uncertain()
	for _, outcome := range []string{"resent", "reported"} {
		if n := w.metrics.total("uncertain_total:" + outcome); n > 0 {
			report.Trouble = append(report.Trouble, fmt.Sprintf("%v messages were left in doubt and %s", n, outcome))
		}
	}
	for _, result := range []string{"failed", "refused", "expired"} {
		for _, direction := range []string{"to_matrix", "to_messenger"} {
			if n := w.metrics.total("messages_total:" + direction + ":" + result); n > 0 {
				report.Trouble = append(report.Trouble, fmt.Sprintf("%v messages %s %s", n, direction, result))
			}
		}
	}
	return report
}

// uncertain are the counters of messages whose confirmation was lost.
func (w *World) uncertain() map[string]float64 {
	counters := map[string]float64{}
	for _, outcome := range []string{"archived", "missing", "resent", "reported"} {
		counters[outcome] = w.metrics.total("uncertain_total:" + outcome)
	}
	return counters
}

// countEverything says what is wrong with what arrived.
func (w *World) countEverything(messages int) (trouble []string) {
	for _, c := range w.chats {
		numbers, others := numbersIn(c, true, w.received(c))
		if tally := Count(messages, numbers); !tally.Clean() {
			trouble = append(trouble, fmt.Sprintf("from the user to %s: %s", c.name, tally))
		}
		if strings.Join(others, "|") != "hello" {
			trouble = append(trouble, fmt.Sprintf("%s also received %q", c.name, others))
		}
		shown, own, notices := w.inRoom(c)
		numbers, others = numbersIn(c, false, shown)
		if tally := Count(messages, numbers); !tally.Clean() {
			trouble = append(trouble, fmt.Sprintf("from %s to the room: %s", c.name, tally))
		}
		if strings.Join(others, "|") != "hello" {
			trouble = append(trouble, fmt.Sprintf("the room shows also %q of %s", others, c.name))
		}
		// What the user wrote stands in the room already; the archive must not bring it again.
		numbers, _ = numbersIn(c, true, own)
		if tally := Count(messages, numbers); !tally.Clean() {
			trouble = append(trouble, fmt.Sprintf("the user's own messages in the room with %s: %s", c.name, tally))
		}
		for _, notice := range notices {
			trouble = append(trouble, fmt.Sprintf("in the room with %s the bot says: %s", c.name, notice))
		}
	}
	return trouble
}

// inRoom is what the room of a chat shows: of the contact, of the user, of the bot.
func (w *World) inRoom(c *chat) (contact, own, bot []string) {
	for _, ev := range w.s.Alice.Messages(c.room) {
		switch {
		case ev.Sender == w.ghost(c):
			contact = append(contact, ev.Body())
		case ev.Sender == w.s.Bot():
			bot = append(bot, ev.Body())
		default:
			own = append(own, ev.Body())
		}
	}
	return contact, own, bot
}

// isNotice tells the bot's sentences in a room.
func (w *World) isNotice(ev *homeserver.Event) bool {
	return ev.Sender == w.s.Bot() && ev.MsgType() == event.MsgNotice
}

// Err is nil when the promise was kept.
func (r Report) Err() error {
	if len(r.Trouble) == 0 {
		return nil
	}
	return errors.New(strings.Join(r.Trouble, "\n"))
}
