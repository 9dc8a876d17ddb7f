package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keepIn names the folder in which what a failed round leaves is kept, one folder below it for each; empty: nothing is.
const keepIn = "CHAOS_KEEP"

// keep writes down what a failed round leaves: what each room shows and each contact has, with times, and all that the bridge said and stored.
func (w *World) keep() {
	folder := os.Getenv(keepIn)
	if folder == "" || !w.t.Failed() {
		return
	}
	folder = filepath.Join(folder, strings.ReplaceAll(w.t.Name(), "/", " "))
	err := os.MkdirAll(folder, 0o700)
	for _, c := range w.chats {
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, c.name+".txt"), []byte(w.story(c)), 0o600)
		}
	}
	files := []string{w.s.File("bridge.log")}
	if w.disk != nil {
		for _, name := range []string{"bridge.db", "bridge.db-wal"} {
			files = append(files, w.disk.file(name))
		}
	}
	for _, file := range files {
		if err == nil {
			err = copyFile(file, filepath.Join(folder, filepath.Base(file)))
		}
	}
	if err != nil {
		w.t.Logf("what the round left cannot be kept: %v", err)
		return
	}
	w.t.Logf("what the round left is kept in %q", folder)
}

// story is a chat as its room shows it, and then as the contact has it.
func (w *World) story(c *chat) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\nIn the room:\n", c.jid, c.room)
	for _, ev := range w.s.Alice.Timeline(c.room) {
		text := ev.Body()
		if !ev.IsMessage() {
			text = string(ev.Content)
		}
		fmt.Fprintf(&b, "%s %s %s %s: %s\n", stampOf(time.UnixMilli(ev.Timestamp)), ev.ID, ev.Type, ev.Sender, text)
	}
	b.WriteString("\nThe contact has:\n")
	account, earlier := w.account(c)
	for _, r := range append(earlier[:len(earlier):len(earlier)], account.Received()...) {
		fmt.Fprintf(&b, "%s %s\n", stampOf(r.Time), r.Body)
	}
	return b.String()
}

func stampOf(t time.Time) string { return t.UTC().Format("15:04:05.000") }

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
