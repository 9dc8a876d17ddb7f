package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"matrix-messenger/e2e/process"
	"matrix-messenger/internal/defects"
)

// readyWithin bounds the time until a started bridge is connected to its homeserver.
const readyWithin = 90 * time.Second

// Options say where the bridge stands between its neighbours.
type Options struct {
	Dir        string // folder for everything it writes
	Homeserver string // URL of the homeserver's client API
	ServerName string
	Admin      string         // localpart of the user who may do everything; others on the server may use it
	Address    string         // host:port for the homeserver's pushes
	Service    string         // host:port of the Messenger service
	Domain     string         // its XMPP domain
	CAFile     string         // roots to trust for it
	Config     map[string]any // further values by path
}

// Bridge is one installation of the bridge.
type Bridge struct {
	program string
	options Options
	proc    *process.Process
}

// New writes configuration and registration the way an admin makes them. It starts nothing.
func New(ctx context.Context, program string, options Options) (*Bridge, error) {
	b := &Bridge{program: program, options: options}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := b.once(ctx, "-e"); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(options.Address)
	if err != nil {
		return nil, err
	}
	values := map[string]any{
		"homeserver.address": options.Homeserver,
		"homeserver.domain":  options.ServerName,
		"appservice.address": "http://" + options.Address,
		"appservice.port":    yamlNumber(port),
		"database.type":      "sqlite3-fk-wal",
		"database.uri":       "file:" + filepath.Join(options.Dir, "bridge.db") + "?_txlock=immediate",
		"bridge.permissions": map[string]string{
			options.ServerName: "user", "@" + options.Admin + ":" + options.ServerName: "admin",
		},
		"network.domain":      options.Domain,
		"network.address":     options.Service,
		"network.tls.ca_file": options.CAFile,
		"logging":             map[string]any{"min_level": "debug", "writers": []any{map[string]string{"type": "stdout", "format": "json"}}},
	}
	maps.Copy(values, options.Config)
	if err := b.Edit(values); err != nil {
		return nil, err
	}
	return b, b.once(ctx, "-g")
}

// yamlNumber is a number that is already written down.
type yamlNumber string

// MarshalYAML implements yaml.Marshaler.
func (n yamlNumber) MarshalYAML() (any, error) {
	var value int
	_, err := fmt.Sscanf(string(n), "%d", &value)
	return value, err
}

// Edit changes the configuration by path; it counts from the next start.
func (b *Bridge) Edit(values map[string]any) error { return EditYAML(b.ConfigFile(), values) }

// ConfigFile is the path of config.yaml.
func (b *Bridge) ConfigFile() string { return filepath.Join(b.options.Dir, "config.yaml") }

// RegistrationFile is the path of registration.yaml, for the homeserver.
func (b *Bridge) RegistrationFile() string { return filepath.Join(b.options.Dir, "registration.yaml") }

func (b *Bridge) args(more ...string) []string {
	return append([]string{"-c", b.ConfigFile(), "-r", b.RegistrationFile()}, more...)
}

func (b *Bridge) once(ctx context.Context, flag string) error {
	return process.Run(ctx, process.Spec{
		Name: "matrix-messenger " + flag, Path: b.program, Dir: b.options.Dir, Args: b.args(flag),
	})
}

// Launch starts the program and returns at once.
func (b *Bridge) Launch() error {
	proc, err := process.Start(process.Spec{
		Name: "matrix-messenger", Path: b.program, Dir: b.options.Dir,
		LogFile: filepath.Join(b.options.Dir, "bridge.log"),
		Args:    b.args("--ignore-unsupported-server"), // Dendrite announces an old version of the specification
		Env:     []string{"GORACE=exitcode=0"},         // races are judged by what is printed of them
	})
	if err == nil {
		b.proc = proc
	}
	return err
}

// Start starts the program and waits until it says that it is ready.
func (b *Bridge) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if err := b.Launch(); err != nil {
		return err
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.options.Address+"/_matrix/mau/ready", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-b.proc.Done():
			return fmt.Errorf("the bridge ended: %v\n%s", b.proc.Err(), b.proc.Tail(30))
		case <-ctx.Done():
			b.proc.Kill()
			return fmt.Errorf("the bridge does not become ready: %w\n%s", ctx.Err(), b.proc.Tail(30))
		case <-ticker.C:
		}
	}
}

// Refused waits for a launched bridge to give up by itself and returns what it printed last.
func (b *Bridge) Refused(ctx context.Context) (output string, err error) {
	err = b.proc.Wait(ctx)
	if ctx.Err() != nil {
		return "", err
	}
	if err == nil {
		return b.Log(30), errors.New("the bridge ended with status 0")
	}
	return b.Log(30), nil
}

// Stop ends the bridge as a service manager does. It returns an error when that took too long or when
// the program has shown a defect of its own (see Defects).
func (b *Bridge) Stop() error {
	if b.proc == nil {
		return nil
	}
	return errors.Join(b.proc.Stop(), b.Defects())
}

// Defects is an error when the program has crashed, recovered from a panic, or (built to look for data
// races) reported one that its own code has a part in.
func (b *Bridge) Defects() error {
	output, err := os.ReadFile(filepath.Join(b.options.Dir, "bridge.log"))
	if err != nil {
		return err
	}
	if found := defects.In(string(output)).Ours(); len(found) > 0 {
		return fmt.Errorf("the bridge has %d defects; the first: %.4000s", len(found), found[0])
	}
	return nil
}

// Kill ends it as a crash would.
func (b *Bridge) Kill() {
	if b.proc != nil {
		b.proc.Kill()
	}
}

// Log is the last n lines that the program printed in this run.
func (b *Bridge) Log(n int) string {
	if b.proc == nil {
		return ""
	}
	return b.proc.Tail(n)
}

// Logged reports whether the program printed text in any of its runs.
func (b *Bridge) Logged(text string) bool { return b.proc != nil && b.proc.Contains(text) }
