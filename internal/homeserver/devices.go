package homeserver

import (
	"context"
	"encoding/json"
	"strings"

	"maunium.net/go/mautrix/id"
)

// What encryption needs beside the key directory: a letter box for each device of a person, and what an appservice is told of keys in its transactions (MSC 2409, MSC 3202).

// deviceKey names a device.
type deviceKey struct {
	user   id.UserID
	device string
}

// TakeToDevice waits for to-device messages to one of the person's devices and takes them out of its letter box.
func (u *User) TakeToDevice(ctx context.Context, device id.DeviceID) (letters []json.RawMessage, err error) {
	box := deviceKey{u.ID, device.String()}
	err = u.server.wait(ctx, "to-device messages", func() bool {
		letters = u.server.keys.letters[box]
		delete(u.server.keys.letters, box)
		return len(letters) > 0
	})
	return letters, err
}

// deliver puts a to-device message into letter boxes; device may be "*". The caller holds the mutex.
func (k *keyStore) deliver(to id.UserID, device string, letter json.RawMessage) {
	devices := []string{device}
	if device == "*" {
		devices = nil
		for known := range k.devices[to] {
			devices = append(devices, known)
		}
	}
	for _, each := range devices {
		box := deviceKey{to, each}
		k.letters[box] = append(k.letters[box], letter)
	}
}

// counts is how many one-time keys of each kind a device has left.
func (k *keyStore) counts(user id.UserID, device string) map[string]int {
	counts := make(map[string]int)
	for keyID := range k.oneTime[user][device] {
		algorithm, _, _ := strings.Cut(keyID, ":")
		counts[algorithm]++
	}
	return counts
}

// deviceLists are whose devices have changed.
type deviceLists struct {
	Changed []id.UserID `json:"changed"`
}

// takeDeviceLists is what a transaction says of changed devices, nil when there is nothing to say. The caller holds the mutex.
func (as *Appservice) takeDeviceLists() (lists *deviceLists) {
	if len(as.changed) > 0 {
		lists = &deviceLists{as.changed}
		as.changed = nil
	}
	return lists
}

// keyCounts is what a transaction says of the one-time keys of the appservice's devices. The caller holds the mutex.
func (as *Appservice) keyCounts() map[id.UserID]map[string]map[string]int {
	all := map[id.UserID]map[string]map[string]int{}
	for user, devices := range as.server.keys.oneTime {
		if !as.owns(user) {
			continue
		}
		all[user] = map[string]map[string]int{}
		for device := range devices {
			all[user][device] = as.server.keys.counts(user, device)
		}
	}
	return all
}

// devicesChanged tells appservices whose devices have changed. The caller holds the mutex.
func (s *Server) devicesChanged(user id.UserID) {
	for _, as := range s.appservices {
		if as.reg.URL != "" {
			as.changed = append(as.changed, user)
		}
	}
	s.notify()
}
