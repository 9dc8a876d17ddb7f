package homeserver

import (
	"context"
	"fmt"

	"matrix-messenger/e2e/process"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/synapseadmin"
)

// Runner is the part of a [Server] that is the same for every program. It is embedded.
type Runner struct {
	Address string // host:port of the client API
	Secret  string // of the shared-secret registration

	proc *process.Process
}

// URL is the address of the client API.
func (r *Runner) URL() string { return "http://" + r.Address }

// Run starts the program and waits until it answers; a program that does not is killed.
func (r *Runner) Run(ctx context.Context, program process.Spec) error {
	proc, err := process.Start(program)
	if err != nil {
		return err
	}
	r.proc = proc
	if err := waitReady(ctx, proc, r.Address); err != nil {
		proc.Kill()
		return err
	}
	return nil
}

// Stop ends the server in order.
func (r *Runner) Stop() error {
	if r.proc == nil {
		return nil
	}
	return r.proc.Stop()
}

// Kill ends it as a crash would.
func (r *Runner) Kill() {
	if r.proc != nil {
		r.proc.Kill()
	}
}

// Log is the last n lines of what it printed.
func (r *Runner) Log(n int) string {
	if r.proc == nil {
		return ""
	}
	return r.proc.Tail(n)
}

// CreateUser makes an account by the shared-secret registration API.
func (r *Runner) CreateUser(ctx context.Context, localpart, password, displayname string) error {
	client, err := mautrix.NewClient(r.URL(), "", "")
	if err != nil {
		return err
	}
	admin := &synapseadmin.Client{Client: client}
	_, err = admin.SharedSecretRegister(ctx, r.Secret, synapseadmin.ReqSharedSecretRegister{
		Username: localpart, Password: password, Displayname: displayname, InhibitLogin: true,
	})
	if err != nil {
		return fmt.Errorf("create the Matrix user %s: %w", localpart, err)
	}
	return nil
}
