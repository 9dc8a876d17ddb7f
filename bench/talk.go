package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// speaker is the network's side of a conversation: messengerd, or the network that does nothing.
type speaker interface {
	call(op string, args, value any) error
}

// room is a chat's room, with the Matrix user in it.
type room struct {
	user *homeserver.User
	id   id.RoomID
}

// table is a bridge with rooms that people talk in.
type table struct {
	b       *bench
	in      *installation
	pid     int
	network speaker
	chats   []chat
	rooms   []room
	until   func(what string, timeout time.Duration, holds func() (bool, error)) error
}

// patience is how long a series of messages may take in all. It only keeps a broken run from lasting for ever.
const patience = 2 * time.Minute

// talk measures messages with the bridge, and with the yardstick.
func (b *bench) talk() error {
	crowd := newCrowd(b.logins, b.contacts)
	yardstick, err := b.talkThroughNoop(crowd)
	if err != nil {
		return fmt.Errorf("the yardstick: %w", err)
	}
	dir, err := b.folder("talk")
	if err != nil {
		return err
	}
	log, err := b.log(dir)
	if err != nil {
		return err
	}
	defer log.Close()
	setup := serviceSetup{Crowd: crowd, CAFile: filepath.Join(dir, "ca.pem"), Online: true}
	service, err := startService(setup, log)
	if err != nil {
		return err
	}
	defer service.kill()
	in, err := install(dir, section{"address": service.Addr, "tls": section{"ca_file": setup.CAFile}, "rooms": section{"at_login": "none"}})
	defer in.close()
	if err != nil {
		return err
	}
	if err = in.seed(crowd); err != nil {
		return err
	}
	p, err := in.run(b.bridge)
	if err != nil {
		return err
	}
	t := &table{b: b, in: in, pid: p.pid(), network: service, chats: crowd.chats(b.chats), until: p.until}
	err = p.online(b.logins, b.signInTimeout(b.logins))
	if err == nil {
		err = t.measure(yardstick)
	}
	if b.out != "" {
		if text, err := os.ReadFile(in.file("bridge.log")); err == nil {
			_ = os.WriteFile(filepath.Join(b.out, "bridge-talk.log"), text, 0o600) // a convenience
		}
	}
	return errors.Join(err, p.stop())
}

// measure runs the parts that need a bridge with rooms.
func (t *table) measure(yardstick pace) error {
	if err := t.furnish(); err != nil {
		return err
	}
	if t.b.wants("flood") {
		if err := t.flood(); err != nil {
			return err
		}
	}
	mine, err := t.pace()
	if err != nil {
		return err
	}
	t.b.report(mine, yardstick)
	return nil
}

// talkThroughNoop measures the same with the bridge whose network does nothing.
func (b *bench) talkThroughNoop(crowd crowd) (pace, error) {
	dir, err := b.folder("noop")
	if err != nil {
		return pace{}, err
	}
	in, err := install(dir, nil)
	defer in.close()
	if err != nil {
		return pace{}, err
	}
	if err = in.seed(crowd); err != nil {
		return pace{}, err
	}
	log, err := b.log(dir)
	if err != nil {
		return pace{}, err
	}
	defer log.Close()
	r, err := startRole(roleNoop, log, "-c", in.file("config.yaml"), "--no-update")
	if err != nil {
		return pace{}, err
	}
	defer r.kill()
	t := &table{b: b, in: in, pid: r.pid(), network: r, chats: crowd.chats(b.chats)}
	t.until = (&program{in: in, exited: r.exited}).until
	if err = t.furnish(); err != nil {
		return pace{}, err
	}
	return t.pace()
}

// furnish has a first message in each chat, which makes the rooms, and lets everybody join.
func (t *table) furnish() error {
	for i := range t.b.logins {
		t.in.hs.User(userLocalpart(i))
	}
	began := time.Now()
	if _, err := t.fromContacts("first", 1, 0); err != nil {
		return err
	}
	made := map[id.RoomID]bool{} // the users are invited to their spaces as well
	for _, request := range t.in.hs.Requests(homeserver.Sends("m.room.message")) {
		made[request.RoomID] = true
	}
	for i := range t.b.logins {
		user := t.in.hs.User(userLocalpart(i))
		for _, invite := range user.Invites() {
			if !made[invite.ID] {
				continue
			}
			if err := user.Join(invite.ID); err != nil {
				return err
			}
			t.rooms = append(t.rooms, room{user, invite.ID})
		}
	}
	if len(t.rooms) != len(t.chats) {
		return fmt.Errorf("%d rooms for %d chats", len(t.rooms), len(t.chats))
	}
	t.b.say("%d rooms made in %.1f s", len(t.chats), time.Since(began).Seconds())
	return t.calm()
}

// calm waits until the bridge has done what is left of the part before: names, presence and receipts come behind the messages, and two processors are no more than
// the next part needs.
func (t *table) calm() error { return quiet(t.pid, t.b.logins, time.Minute) }

// fromContacts lets the contacts write in turns, and waits until the homeserver has everything. The homeserver forgets what it was asked before, so that arrived
// does not look through it again and again while others need the processors.
func (t *table) fromContacts(series string, each int, pause time.Duration) (arrivals, error) {
	t.in.hs.ResetRecord()
	return observed(func() (arrivals, error) {
		if err := t.network.call("say", talk{series, t.chats, each, pause}, nil); err != nil {
			return arrivals{}, err
		}
		return t.arrived(series, each*len(t.chats))
	})
}

// observed adds what the machine's host kept for others: on a machine that is shared with strangers it explains more of the slowest messages than anything else.
func observed(run func() (arrivals, error)) (arrivals, error) {
	before, err := readHostTimes()
	if err != nil {
		return arrivals{}, err
	}
	got, err := run()
	if err != nil {
		return got, err
	}
	after, err := readHostTimes()
	got.Stolen = after.stolenSince(before)
	return got, err
}

// arrived waits until the homeserver has n messages of a series.
func (t *table) arrived(series string, n int) (arrivals, error) {
	var got arrivals
	sends := 0
	err := t.until(fmt.Sprintf("%d messages in their rooms", n), patience, func() (bool, error) {
		if now := t.in.hs.Count("send"); now == sends {
			return false, fmt.Errorf("%d are there", got.Count)
		} else if sends = now; sends < n {
			return false, nil
		}
		got = arrivals{}
		for _, request := range t.in.hs.Requests(homeserver.Sends("m.room.message")) {
			if series2, said, ok := readStamp(textOf(request.Body)); ok && series2 == series {
				got.add(said, request.Time)
			}
		}
		return got.Count >= n, fmt.Errorf("%d are there", got.Count)
	})
	if err == nil && got.Count > n {
		err = fmt.Errorf("%d messages of %d came to their rooms", got.Count, n)
	}
	return got, err
}

// fromUsers lets the users write in turns, and waits until the network has everything.
func (t *table) fromUsers(series string, each int, pause time.Duration) (arrivals, error) {
	return observed(func() (arrivals, error) { return t.written(series, each, pause) })
}

func (t *table) written(series string, each int, pause time.Duration) (arrivals, error) {
	for n := range each {
		for _, r := range t.rooms {
			if _, err := r.user.SendText(r.id, stamped(series, n)); err != nil {
				return arrivals{}, err
			}
			time.Sleep(pause)
		}
	}
	n := each * len(t.rooms)
	query := struct {
		Series string
		Count  bool
	}{series, true}
	err := t.until(fmt.Sprintf("%d messages at the service", n), patience, func() (bool, error) {
		var got arrivals
		if err := t.network.call("heard", query, &got); err != nil {
			return false, err
		}
		time.Sleep(200 * time.Millisecond) // each look goes through all that was received
		return got.Count >= n, fmt.Errorf("%d are there", got.Count)
	})
	if err != nil {
		return arrivals{}, err
	}
	query.Count = false
	var got arrivals
	if err = t.network.call("heard", query, &got); err == nil && got.Count > n {
		err = fmt.Errorf("%d messages of %d came to the contacts", got.Count, n)
	}
	return got, err
}
