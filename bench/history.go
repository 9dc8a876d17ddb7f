package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// archivedMessages is how many messages a chat has in the archive: what the service shows of one.
const archivedMessages = 10

// history measures how fast the rooms of chats with an archive are made and filled at the first sign-in.
func (b *bench) history() error {
	dir, err := b.folder("history")
	if err != nil {
		return err
	}
	log, err := b.log(dir)
	if err != nil {
		return err
	}
	defer log.Close()
	setup := serviceSetup{
		Crowd: newCrowd(b.logins, b.contacts), CAFile: filepath.Join(dir, "ca.pem"), Chats: b.archived, History: archivedMessages,
	}
	service, err := startService(setup, log)
	if err != nil {
		return err
	}
	defer service.kill()
	in, err := install(dir, section{
		"address": service.Addr, "tls": section{"ca_file": setup.CAFile},
		"rooms": section{"at_login": "history"}, "limits": section{"rooms_per_minute": 10_000},
	})
	defer in.close()
	if err != nil {
		return err
	}
	if err = in.seed(setup.Crowd); err != nil {
		return err
	}
	p, err := in.run(b.bridge)
	if err != nil {
		return err
	}
	t := &table{b: b, in: in, pid: p.pid(), until: p.until}
	got, err := t.arrived("archived", b.archived*archivedMessages)
	if err != nil {
		return errors.Join(err, p.stop())
	}
	var tries []time.Time
	if err = service.call("attempts", none{}, &tries); err == nil {
		took := got.Last.Sub(tries[0]).Seconds()
		b.add(row{
			what: fmt.Sprintf("history import: %d chats of %d accounts, %d messages each", b.archived, b.logins, archivedMessages), budget: "none set",
			measured: fmt.Sprintf("%.0f messages/s", float64(got.Count)/took),
			notes:    fmt.Sprintf("%.1f rooms/s, from the first connection on; limits.rooms_per_minute paces it in earnest", float64(b.archived)/took),
		})
	}
	return errors.Join(err, p.stop())
}
