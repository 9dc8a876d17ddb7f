package dendrite

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"

	"matrix-messenger/e2e/homeserver"
	"matrix-messenger/e2e/process"
)

// Server is one homeserver. It is made by New and may be started and stopped several times; its data
// stay in its folder.
type Server struct {
	programs Programs
	options  homeserver.Options
	secret   string
	proc     *process.Process
	quiet    bool // it runs without presence, since a start that ended at once
}

var _ homeserver.Server = (*Server)(nil)

// New writes the configuration and the signing key. It starts nothing.
func New(ctx context.Context, programs Programs, options homeserver.Options) (*Server, error) {
	s := &Server{programs: programs, options: options, secret: rand.Text()}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.configure(); err != nil {
		return nil, err
	}
	return s, process.Run(ctx, process.Spec{
		Name: "generate-keys", Path: programs.GenerateKeys, Args: []string{"-private-key", s.file("matrix_key.pem")},
	})
}

// configure writes the configuration as the server is to run now.
func (s *Server) configure() error {
	file, err := os.OpenFile(s.file("dendrite.yaml"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	return configTemplate.Execute(file, configData{Options: s.options, Secret: s.secret, Presence: !s.quiet})
}

func (s *Server) file(name string) string { return filepath.Join(s.options.Dir, name) }

// URL is the address of the client API.
func (s *Server) URL() string { return "http://" + s.options.Address }

// starts is how often a server is started that ends at once. After a kill Dendrite works off what was left in its queues before all of it is there, and dies of a
// nil pointer (v0.15.2). Where that is the presence to be sent with somebody's join, every start ends so on a busy machine.
const starts = 6

// Start runs the server and waits until it answers. When it dies of its own queue as described above, it is started again without presence, and stays so.
func (s *Server) Start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, homeserver.ReadyWithin)
	defer cancel()
	for range starts {
		if err = s.start(ctx); err == nil || !strings.Contains(err.Error(), "panic: ") {
			return err
		}
		s.quiet = true
		if err := s.configure(); err != nil {
			return err
		}
	}
	return err
}

func (s *Server) start(ctx context.Context) error {
	proc, err := process.Start(process.Spec{
		Name: "dendrite", Path: s.programs.Server, Dir: s.options.Dir, LogFile: s.file("dendrite.log"),
		Args: []string{"-config", s.file("dendrite.yaml"), "-http-bind-address", s.options.Address},
	})
	if err != nil {
		return err
	}
	s.proc = proc
	if err := homeserver.WaitReady(ctx, proc, s.options.Address); err != nil {
		proc.Kill()
		return err
	}
	return nil
}

// Stop ends the server in order.
func (s *Server) Stop() error {
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop()
}

// Kill ends it as a crash would.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.Kill()
	}
}

// Log is the last n lines of what it printed.
func (s *Server) Log(n int) string {
	if s.proc == nil {
		return ""
	}
	return s.proc.Tail(n)
}

// CreateUser makes an account by the shared-secret registration API.
func (s *Server) CreateUser(ctx context.Context, localpart, password, displayname string) error {
	return homeserver.CreateUser(ctx, s.URL(), s.secret, localpart, password, displayname)
}
