// Package homeserver is what the tests need of a homeserver, whichever it is.
package homeserver

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"matrix-messenger/e2e/process"
)

// ReadyWithin bounds the time from starting a homeserver to its first answer. Dendrite takes 0.3 s and Synapse some seconds when the machine has nothing else to do.
const ReadyWithin = 90 * time.Second

// Options say what is to be run.
type Options struct {
	Name          string   // server name, the part of a user ID behind the colon
	Dir           string   // a folder for everything the server writes
	Address       string   // host:port to listen on, loopback
	Registrations []string // files of the appservices it knows
}

// Server is one homeserver, which may be started and stopped several times.
type Server interface {
	// URL is the address of the client API.
	URL() string
	// Start runs the server and waits until it answers.
	Start(ctx context.Context) error
	// Stop ends the server in order.
	Stop() error
	// Kill ends it as a crash would.
	Kill()
	// Log is the last n lines of what it printed.
	Log(n int) string
	// CreateUser makes an account.
	CreateUser(ctx context.Context, localpart, password, displayname string) error
}

// waitReady asks for the versions until it gets them: the port opens before all routes exist.
func waitReady(ctx context.Context, proc *process.Process, address string) error {
	if err := proc.WaitListening(ctx, address); err != nil {
		return err
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/_matrix/client/versions", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the homeserver does not answer: %w\n%s", ctx.Err(), proc.Tail(30))
		case <-proc.Done():
			return fmt.Errorf("the homeserver ended: %v\n%s", proc.Err(), proc.Tail(30))
		case <-ticker.C:
		}
	}
}
