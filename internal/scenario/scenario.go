package scenario

import (
	"context"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/defects"
	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/postgres"
	"matrix-messenger/messengerd"
)

// StepTimeout is the safety net of every wait.
const StepTimeout = 60 * time.Second

// Options change a scenario's set-up.
type Options struct {
	// Network and Bridge are laid over the sections of those names in the bridge's configuration.
	Network, Bridge map[string]any
	// Sections is laid over the file's other sections, by name; a section that is not there is made.
	Sections map[string]map[string]any
	// Homeserver sets the homeserver up.
	Homeserver homeserver.Options
	// Service changes the service's configuration before its start.
	Service func(*messengerd.Config)
	// Trace is called with every element that the service receives or queues; it must neither block nor call the service.
	Trace func(messengerd.TraceEvent)
	// Clock is the service's clock; without it, the machine's.
	Clock func() time.Time
	// NoDoublePuppet leaves double puppeting out of the bridge's configuration.
	NoDoublePuppet bool
	// Beside is another scenario whose homeserver this one shares, with a bridge and a user of its own; Name is what this bridge, its bot and its ghosts are
	// called there, and the user's name.
	Beside *Scenario
	Name   string
	// Database is the URI of an empty PostgreSQL database to use instead of SQLite.
	Database string
	// Env is added to the bridge's environment.
	Env []string
}

// Scenario is a running homeserver, service and bridge, and what was said so far. Its steps fail the test.
type Scenario struct {
	t    testing.TB
	opts Options
	dir  string
	host string // the address everything of this scenario listens on

	// Environ is added to the environment of the bridge at its next start.
	Environ []string

	// HS is the homeserver and Alice a person on it, the bridge's user.
	HS    *homeserver.Server
	Alice *homeserver.User
	// Appservice is the homeserver's view of the bridge.
	Appservice *homeserver.Appservice
	// Service is the Messenger service; it is another value after ServiceRestarts.
	Service *messengerd.Server

	serviceAddr string
	bridgeURL   string
	bridge      *bridgeProcess
	hsDown      bool
	bot         id.RoomID
	botSeen     int

	contacts map[string]*contact // by name
	notes    map[string]string
}

// contact is what is known of one contact's conversation.
type contact struct {
	name     string
	jid      string
	earlier  []messengerd.Received // from before the service was restarted
	received []string              // texts the contact must have, in order
	shown    []string              // texts the rooms must show as the contact's, in order
}

// Start sets a scenario up, with the bridge running and nobody signed in. The test runs beside others from here on.
func Start(t testing.TB, opts Options) *Scenario {
	t.Helper()
	sideBySide(t)
	s := &Scenario{t: t, opts: opts, dir: t.TempDir(), host: loopback(), contacts: map[string]*contact{}, notes: map[string]string{}}
	if s.opts.Homeserver.Listen == "" {
		s.opts.Homeserver.Listen = net.JoinHostPort(s.host, "0")
	}
	if opts.Beside != nil {
		s.HS = opts.Beside.HS
		s.Alice = s.HS.User("user-of-" + s.name())
	} else {
		s.HS = homeserver.Start(t, s.opts.Homeserver)
		s.Alice = s.HS.User("alice")
	}
	s.startService()
	if s.opts.Database == "" && isOnPostgreSQL(t) {
		s.opts.Database = postgres.Database(t)
	}
	if err := s.writeConfig(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	s.StartBridge()
	return s
}

func (s *Scenario) close() {
	if s.bridge.running() {
		ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
		if err := s.bridge.stop(ctx); err != nil {
			s.t.Errorf("stopping the bridge at the end: %v", err)
		}
		cancel()
	}
	if err := s.Service.Close(); err != nil {
		s.t.Errorf("closing the service: %v", err)
	}
	output, err := os.ReadFile(s.file("bridge.log"))
	if err != nil {
		s.t.Errorf("reading the bridge's output: %v", err)
	}
	found := defects.In(string(output))
	for _, defect := range found.Ours() {
		s.t.Errorf("the bridge has a defect:\n%s", defect)
	}
	if len(found.Frameworks) > 0 {
		s.t.Logf("%d data races inside the framework; the first:\n%s", len(found.Frameworks), found.Frameworks[0])
	}
	if s.t.Failed() {
		s.t.Logf("the end of the bridge's output:\n%s", tail(s.file("bridge.log"), 24_000))
	}
}

// T is the test that the scenario belongs to.
func (s *Scenario) T() testing.TB { return s.t }

// Remember keeps something, such as an event's ID, for later steps of the same story: stories that are played several times run side by side, so that their steps share
// nothing else.
func (s *Scenario) Remember(what, value string) { s.notes[what] = value }

// Recall is what was remembered, empty when nothing was.
func (s *Scenario) Recall(what string) string { return s.notes[what] }

// step is the context of one step.
func (s *Scenario) step() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), StepTimeout)
}

// within runs one step's wait and fails the test with what was waited for.
func (s *Scenario) within(what string, wait func(context.Context) error) {
	s.t.Helper()
	ctx, cancel := s.step()
	defer cancel()
	if err := wait(ctx); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// StartBridge starts the bridge and waits until it has started.
func (s *Scenario) StartBridge() {
	s.t.Helper()
	s.LaunchBridge()
	s.BridgeIsReady()
}

// LaunchBridge starts the bridge without waiting.
func (s *Scenario) LaunchBridge() {
	s.t.Helper()
	if s.bridge.running() {
		s.t.Fatal("the bridge is running already")
	}
	process, err := launch(s.file("config.yaml"), s.file("bridge.log"), append(slices.Clone(s.opts.Env), s.Environ...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.bridge = process
}

// BridgeIsReady waits until the bridge has started.
func (s *Scenario) BridgeIsReady() {
	s.t.Helper()
	s.within("starting the bridge", s.bridge.waitReady)
}

// BridgeIsLive waits until the bridge's web server answers, which it does before the start is complete.
func (s *Scenario) BridgeIsLive() {
	s.t.Helper()
	s.within("the bridge's web server", func(ctx context.Context) error {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.bridgeURL+"/_matrix/mau/live", nil)
			if err != nil {
				return err
			}
			if answer, err := http.DefaultClient.Do(request); err == nil {
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					return nil
				}
			}
			select {
			case <-ticker.C:
			case <-s.bridge.exited:
				return s.bridge.exitError()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// StopBridge ends the bridge as an admin does, with SIGTERM.
func (s *Scenario) StopBridge() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if err := s.bridge.stop(ctx); err != nil {
		s.t.Fatalf("stopping the bridge: %v", err)
	}
}

// KillBridge ends the bridge as kill -9 does.
func (s *Scenario) KillBridge() { s.bridge.kill() }

// RestartBridge is StopBridge and StartBridge.
func (s *Scenario) RestartBridge() {
	s.t.Helper()
	s.StopBridge()
	s.StartBridge()
}

// HomeserverGoesDown takes the homeserver off the network.
func (s *Scenario) HomeserverGoesDown() {
	s.HS.Down()
	s.hsDown = true
}

// HomeserverComesBack puts the homeserver back.
func (s *Scenario) HomeserverComesBack() {
	s.t.Helper()
	if err := s.HS.Up(); err != nil {
		s.t.Fatal(err)
	}
	s.hsDown = false
}
