package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// pace is how fast messages go through a bridge.
type pace struct {
	pingIn, pingOut   arrivals // one after the other: what a message takes
	floodIn, floodOut arrivals // as many as there are: how many a second
	cpuIn, cpuOut     time.Duration
}

// pingPause is the time between two messages of the latency measurement: 200 a second.
const pingPause = 5 * time.Millisecond

// pace measures both ways.
func (t *table) pace() (p pace, err error) {
	if t.b.wants("latency") {
		each := max(1, t.b.pings/len(t.chats))
		if p.pingIn, err = t.fromContacts("ping-in", each, pingPause); err != nil {
			return p, err
		}
		if err = t.calm(); err != nil {
			return p, err
		}
		if p.pingOut, err = t.fromUsers("ping-out", each, pingPause); err != nil {
			return p, err
		}
		if err = errors.Join(t.keepTimes(p), t.calm()); err != nil {
			return p, err
		}
	}
	if !t.b.wants("throughput") {
		return p, nil
	}
	each := max(1, t.b.messages/len(t.chats))
	before, err := cpuTime(t.pid)
	if err != nil {
		return p, err
	}
	if p.floodIn, err = t.profiled("in", func() (arrivals, error) { return t.fromContacts("flood-in", each, 0) }); err != nil {
		return p, err
	}
	if err = t.calm(); err != nil {
		return p, err
	}
	between, err := cpuTime(t.pid)
	if err != nil {
		return p, err
	}
	if p.floodOut, err = t.profiled("out", func() (arrivals, error) { return t.fromUsers("flood-out", each, 0) }); err != nil {
		return p, err
	}
	after, err := cpuTime(t.pid)
	p.cpuIn, p.cpuOut = between-before, after-between
	return p, err
}

// keepTimes leaves the time of each message in the folder of -out.
func (t *table) keepTimes(p pace) error {
	if t.b.out == "" {
		return nil
	}
	who := "yardstick"
	if t.in.config["network"] != nil {
		who = "bridge"
	}
	return errors.Join(p.pingIn.write(filepath.Join(t.b.out, "latency-to-matrix-"+who+".tsv")),
		p.pingOut.write(filepath.Join(t.b.out, "latency-to-messenger-"+who+".tsv")))
}

// profiled runs something with a CPU profile of the bridge, if profiles are wanted.
func (t *table) profiled(name string, run func() (arrivals, error)) (arrivals, error) {
	if t.b.out == "" || t.in.config["network"] == nil {
		return run()
	}
	kept := make(chan error, 1)
	go func() { kept <- t.b.keepProfile(t.in, "profile?seconds=5", "cpu-"+name+".pprof") }()
	got, err := run()
	if failed := <-kept; err == nil {
		err = failed
	}
	return got, err
}

// report adds the rows of what was measured.
func (b *bench) report(mine, yardstick pace) {
	latency := func(what string, mine, yardstick arrivals) {
		if mine.Count == 0 {
			return
		}
		b.add(row{
			what: "time of a message " + what + ", 200 a second, all hops", budget: "p50 3 ms, p99 15 ms",
			measured:  fmt.Sprintf("p50 %s, p99 %s", millis(mine.percentile(.5)), millis(mine.percentile(.99))),
			yardstick: fmt.Sprintf("bare framework p50 %s, p99 %s", millis(yardstick.percentile(.5)), millis(yardstick.percentile(.99))),
			notes:     fmt.Sprintf("%d messages; durable, the yardstick is not; %s", mine.Count, stolen(mine, yardstick)),
		})
	}
	rate := func(what string, mine, yardstick arrivals, cpu, theirs time.Duration) {
		if mine.Count == 0 {
			return
		}
		each := func(d time.Duration, a arrivals) float64 { return float64(d.Microseconds()) / float64(a.Count) }
		b.add(row{
			what: fmt.Sprintf("messages a second %s, %d chats of %d accounts", what, b.chats, b.logins), budget: "2,000",
			measured:  fmt.Sprintf("%.0f", mine.rate()),
			yardstick: fmt.Sprintf("bare framework %.0f, %s", yardstick.rate(), times(mine.rate(), yardstick.rate())),
			notes: fmt.Sprintf("%d messages; %.0f µs of a processor each in the bridge, %.0f in the yardstick; %s",
				mine.Count, each(cpu, mine), each(theirs, yardstick), stolen(mine, yardstick)),
		})
	}
	latency("to Matrix", mine.pingIn, yardstick.pingIn)
	latency("to Messenger", mine.pingOut, yardstick.pingOut)
	rate("to Matrix", mine.floodIn, yardstick.floodIn, mine.cpuIn, yardstick.cpuIn)
	rate("to Messenger", mine.floodOut, yardstick.floodOut, mine.cpuOut, yardstick.cpuOut)
}

// stolen says how much of the processors the host kept for others.
func stolen(mine, yardstick arrivals) string {
	return fmt.Sprintf("processors stolen by their host: %.0f %%, yardstick %.0f %%", 100*mine.Stolen, 100*yardstick.Stolen)
}

// textOf is the body of a message event's content.
func textOf(content []byte) string {
	var message struct {
		Body string `json:"body"`
	}
	if json.Unmarshal(content, &message) != nil {
		return ""
	}
	return message.Body
}

// flood has a contact's presence repeated many times without any change, and counts what the homeserver is asked because of it.
func (t *table) flood() error {
	c := t.chats[0]
	stanza := fmt.Sprintf(`<presence from="%s/{7f6a3a52-5a2e-4c7e-9f8e-0d8c1a2b3c4d}" to="%s"><show>away</show><status>out for lunch</status></presence>`,
		contactJID(c.Contact), userJID(c.User))
	send := func(n int, series string) (requests int, took time.Duration, err error) {
		before, began := t.requests(), time.Now()
		if err = t.network.call("raw", struct {
			User   int
			Stanza string
			Times  int
		}{c.User, stanza, n}, nil); err != nil {
			return 0, 0, err
		}
		// The stream is in order: when this message is in its room, the bridge has read the presences.
		if err = t.network.call("say", talk{series, []chat{c}, 1, 0}, nil); err != nil {
			return 0, 0, err
		}
		got, err := t.arrived(series, 1)
		if err != nil {
			return 0, 0, err
		}
		took = got.Last.Sub(began)
		if err = t.calm(); err != nil {
			return 0, 0, err
		}
		return t.requests() - before, took, nil
	}
	if _, _, err := send(1, "presence-known"); err != nil {
		return err
	}
	once, _, err := send(1, "presence-once")
	if err != nil {
		return err
	}
	many, took, err := send(t.b.presences, "presence-flood")
	if err != nil {
		return err
	}
	t.b.add(row{
		what: fmt.Sprintf("requests because of %d presences that change nothing", t.b.presences), budget: "0",
		measured: fmt.Sprint(many - once), notes: fmt.Sprintf("%.0f stanzas a second", float64(t.b.presences)/took.Seconds()),
	})
	return nil
}

// requests is how many the homeserver has had, those of clients that only look excepted.
func (t *table) requests() int {
	n := 0
	for name, count := range t.in.hs.Counts() {
		if !strings.HasPrefix(name, "version") {
			n += count
		}
	}
	return n
}
