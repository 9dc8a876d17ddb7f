package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// Wide runs a round in which more is said while the bridge is away than the archive shows, and nothing is stored for it. What is lost has to be told where it is missing; nothing may
// come twice but what was counted as sent again in doubt, and with report nothing at all.
func Wide(t testing.TB, round Round, report bool) Report {
	t.Helper()
	network := map[string]any{"uncertain": "resend"}
	if report {
		network["uncertain"] = "report"
	}
	w := start(t, round.Seed, round.Chats, network)
	ctx, cancel := context.WithTimeout(context.Background(), roundPatience)
	defer cancel()
	w.allow(1 << 40)
	result := Report{Round: round}
	d := &dialogue{w: w, ctx: ctx, said: map[*chat]*[2]int{}, events: map[*chat]map[int]id.EventID{}, calms: map[*chat][]int{}}
	for _, c := range w.chats {
		d.said[c], d.events[c] = &[2]int{}, map[int]id.EventID{}
	}
	for range round.Faults {
		d.calm()
		result.Struck = append(result.Struck, d.trouble())
	}
	d.calm()
	if err := w.metrics.waitIdle(ctx); err != nil {
		d.fail(err)
	}
	for _, c := range w.chats {
		d.judge(c, report)
	}
	result.Said, result.Metrics = int(w.sent.Load()), w.uncertain()
	if resent := int(w.metrics.total("uncertain_total:resent")); d.repeated > resent {
		d.fail(fmt.Errorf("%d messages came twice to contacts, of which %d were counted", d.repeated, resent))
	}
	result.Trouble = d.wrong
	t.Logf("%d lost and told, %d twice and counted", d.lost, d.repeated)
	return result
}

// dialogue is what was said in a Wide round, by the test's goroutine alone.
type dialogue struct {
	w      *World
	ctx    context.Context
	said   map[*chat]*[2]int // how many messages, of the contact and of the user
	events map[*chat]map[int]id.EventID
	calms  map[*chat][]int // numbers of the contact's last words in each calm

	wrong          []string
	lost, repeated int
}

func (d *dialogue) fail(err error) {
	if err != nil {
		d.wrong = append(d.wrong, err.Error())
	}
}

func (d *dialogue) contact(c *chat, n int) {
	for range n {
		d.said[c][0]++
		d.fail(d.w.contactSays(c, d.said[c][0]))
	}
}

func (d *dialogue) user(c *chat, n int) {
	for range n {
		d.said[c][1]++
		eventID, err := d.w.s.Alice.SendText(c.room, textOf(c, true, d.said[c][1]))
		d.events[c][d.said[c][1]] = eventID
		d.w.note()
		d.fail(err)
	}
}

// calm lets both sides of every chat talk, and waits until the last word of each has come.
func (d *dialogue) calm() {
	for _, c := range d.w.chats {
		d.contact(c, 2)
		d.user(c, 2)
	}
	for _, c := range d.w.chats {
		d.calms[c] = append(d.calms[c], d.said[c][0])
		_, err := d.w.s.Alice.WaitText(d.ctx, c.room, textOf(c, false, d.said[c][0]))
		d.fail(err)
		last := textOf(c, true, d.said[c][1])
		account, _ := d.w.account(c)
		d.fail(account.Wait(d.ctx, func() bool {
			return slices.ContainsFunc(account.Received(), func(r messengerd.Received) bool { return r.Body == last })
		}))
	}
}

// breath is a pause between what the bridge knows and what it misses. The archive's times are in whole seconds, so that within one nobody can tell where a gap is.
const breath = 1200 * time.Millisecond

// trouble lets much be said while the bridge is away, or while it does not know that its connection is dead. Another program of the user receives it, so that nothing is stored.
func (d *dialogue) trouble() (name string) {
	w := d.w
	user := w.s.User()
	d.fail(user.SetPresence("available", ""))
	time.Sleep(breath)
	killed := w.rand.IntN(2) == 0
	if killed {
		name = "killed"
		w.killNow(d.ctx)
	} else {
		name = "half dead"
		b := w.loss()
		b.Records, b.Hold = 0, time.Minute
		w.line.BreakNow(b)
		for _, c := range w.chats {
			d.contact(c, 1)
			d.user(c, 1)
		}
		time.Sleep(breath)
	}
	for _, c := range w.chats {
		if w.rand.IntN(2) == 0 {
			d.user(c, w.rand.IntN(6))
		}
		d.contact(c, w.rand.IntN(25))
		d.user(c, w.rand.IntN(6))
	}
	w.pause(300 * time.Millisecond)
	if killed {
		w.s.StartBridge()
	} else {
		w.line.Heal()
		w.line.Cut()
	}
	ctx, cancel := context.WithTimeout(d.ctx, scenario.StepTimeout)
	defer cancel()
	before := time.Now()
	d.fail(user.Wait(ctx, func() bool {
		return slices.ContainsFunc(user.Sessions(), func(s messengerd.SessionInfo) bool {
			return s.Presence && s.Since.After(before) || killed && s.Presence
		})
	}))
	d.fail(user.SetPresence("offline", ""))
	return name
}

// judge looks at what became of the messages of a chat.
func (d *dialogue) judge(c *chat, report bool) {
	shown, own, _ := d.w.inRoom(c)
	numbers, _ := numbersIn(c, false, shown)
	tally := Count(d.said[c][0], numbers)
	if len(tally.Repeated)+len(tally.Misordered)+len(tally.Strange) > 0 {
		d.fail(fmt.Errorf("from %s to the room: %s", c.name, tally))
	}
	for _, run := range runs(tally.Lost) {
		d.lost += run[1] - run[0] + 1
		if !d.gapTold(c, run) {
			d.fail(fmt.Errorf("from %s to the room: %d to %d are missing, and nothing is said of it", c.name, run[0], run[1]))
		}
	}
	numbers, _ = numbersIn(c, true, own)
	if tally = Count(d.said[c][1], numbers); !tally.Clean() {
		d.fail(fmt.Errorf("the user's own messages in the room with %s: %s", c.name, tally))
	}
	numbers, _ = numbersIn(c, true, d.w.received(c))
	tally = Count(d.said[c][1], numbers)
	d.repeated += len(tally.Repeated)
	if len(tally.Misordered)+len(tally.Strange) > 0 || !report && len(tally.Lost) > 0 || report && len(tally.Repeated) > 0 {
		d.fail(fmt.Errorf("from the user to %s: %s", c.name, tally))
	}
	for _, n := range tally.Lost {
		d.lost++
		if !d.failureTold(c, d.events[c][n]) {
			d.fail(fmt.Errorf("from the user to %s: %d is missing, and its sender does not know", c.name, n))
		}
	}
}

// gapTold tells whether the room says that messages may be missing between what was said in the calm before a run of lost numbers and in the calm after it.
func (d *dialogue) gapTold(c *chat, run [2]int) bool {
	from, to := 0, d.said[c][0]
	for _, calm := range d.calms[c] {
		if calm < run[0] {
			from = calm
		} else if calm > run[1] {
			to = min(to, calm)
		}
	}
	told := false
	for _, ev := range d.w.s.Alice.Messages(c.room) {
		if d.w.isNotice(ev) {
			told = told || strings.Contains(ev.Body(), "may be missing")
			continue
		}
		if numbers, _ := numbersIn(c, false, []string{ev.Body()}); ev.Sender == d.w.ghost(c) && len(numbers) > 0 {
			if numbers[0] <= from {
				told = false
			} else if numbers[0] >= to {
				return told
			}
		}
	}
	return told
}

// tellPatience is how long a sender may have to wait, once nothing is queued any more, to be told: a goroutine of its own does it.
const tellPatience = 20 * time.Second

// failureTold waits until an event has the status of one that failed.
func (d *dialogue) failureTold(c *chat, target id.EventID) bool {
	ctx, cancel := context.WithTimeout(d.ctx, tellPatience)
	defer cancel()
	_, err := d.w.s.Alice.WaitEvent(ctx, c.room, func(ev *homeserver.Event) bool {
		if ev.Type != event.BeeperMessageStatus.Type {
			return false
		}
		var content event.BeeperMessageStatusEventContent
		return json.Unmarshal(ev.Content, &content) == nil && content.RelatesTo.EventID == target &&
			(content.Status == event.MessageStatusFail || content.Status == event.MessageStatusRetriable)
	})
	return err == nil
}
