package scenario

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
)

// ConfigWith writes a copy of the bridge's configuration with values changed, given by their dotted paths, and returns its path.
func (s *Scenario) ConfigWith(name string, values map[string]any) string {
	s.t.Helper()
	text, err := os.ReadFile(s.ConfigFile())
	if err != nil {
		s.t.Fatal(err)
	}
	all := section{}
	if err = yaml.Unmarshal(text, &all); err != nil {
		s.t.Fatal(err)
	}
	for path, value := range values {
		keys := strings.Split(path, ".")
		at := all
		for _, key := range keys[:len(keys)-1] {
			inner, ok := at[key].(section)
			if !ok {
				inner = section{}
				at[key] = inner
			}
			at = inner
		}
		at[keys[len(keys)-1]] = value
	}
	if text, err = yaml.Marshal(all); err != nil {
		s.t.Fatal(err)
	}
	path := s.file(name)
	if err = os.WriteFile(path, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// Reconfigure changes values of the bridge's configuration, given by their dotted paths. They count from its next start.
func (s *Scenario) Reconfigure(values map[string]any) {
	s.t.Helper()
	if err := os.Rename(s.ConfigWith("config.new", values), s.ConfigFile()); err != nil {
		s.t.Fatal(err)
	}
}

// BridgeRefuses starts a process of the bridge with a configuration that it should refuse, waits until it ends by itself with a status other than 0, and returns
// what it said.
func (s *Scenario) BridgeRefuses(configFile string) (output string) {
	s.t.Helper()
	logFile := s.file("refused.log")
	if err := os.Remove(logFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	process, err := launch(configFile, logFile)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := s.step()
	defer cancel()
	select {
	case <-process.exited:
	case <-ctx.Done():
		process.kill()
		s.t.Fatalf("the bridge accepts %s:\n%s", configFile, tail(logFile, 4000))
	}
	output = tail(logFile, 100_000)
	var exit *exec.ExitError
	if !errors.As(process.err, &exit) || exit.ExitCode() <= 0 {
		s.t.Fatalf("the bridge ended with %v:\n%s", process.err, output)
	}
	return output
}

// BridgeEnds waits until the bridge has ended by itself, in good order.
func (s *Scenario) BridgeEnds() {
	s.t.Helper()
	ctx, cancel := s.step()
	defer cancel()
	select {
	case <-s.bridge.exited:
		if s.bridge.err != nil {
			s.t.Fatalf("the bridge ended badly: %v", s.bridge.err)
		}
	case <-ctx.Done():
		s.t.Fatal("the bridge does not end")
	}
}

// BridgeLogs waits until the bridge's output, of all its runs, contains a text.
func (s *Scenario) BridgeLogs(text string) {
	s.t.Helper()
	s.within("the bridge to log "+text, func(ctx context.Context) error {
		for {
			output, err := os.ReadFile(s.file("bridge.log"))
			if err != nil || strings.Contains(string(output), text) {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond): // a file has no events to wait for
			}
		}
	})
}

// UseDatabase tells the scenario which PostgreSQL database the bridge has been given since.
func (s *Scenario) UseDatabase(uri string) { s.opts.Database = uri }

// RoomSees waits until the room with a contact shows a text of the contact's, whatever else it shows.
func (s *Scenario) RoomSees(name, text string) {
	s.t.Helper()
	room, ghost := s.Room(name), s.Ghost(name)
	s.within("the room with "+name+" to show "+text, func(ctx context.Context) error {
		_, err := s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool { return ev.Sender == ghost && ev.Body() == text })
		return err
	})
}

// FormerRoomTells waits for a notice of the bot in a room that the contact may have left by now.
func (s *Scenario) FormerRoomTells(room id.RoomID, part string) {
	s.t.Helper()
	s.within("a notice in the former room that says "+part, func(ctx context.Context) error {
		_, err := s.Alice.WaitMessage(ctx, room, func(ev *homeserver.Event) bool {
			return ev.Sender == s.Bot() && ev.MsgType() == event.MsgNotice && strings.Contains(ev.Body(), part)
		})
		return err
	})
}
