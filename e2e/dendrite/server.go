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
	homeserver.Runner

	programs Programs
	options  homeserver.Options
	quiet    bool // it runs without presence, since a start that ended at once
}

var _ homeserver.Server = (*Server)(nil)

// New writes the configuration and the signing key. It starts nothing.
func New(ctx context.Context, programs Programs, options homeserver.Options) (*Server, error) {
	s := &Server{
		Runner:   homeserver.Runner{Address: options.Address, Secret: rand.Text()},
		programs: programs, options: options,
	}
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
	return configTemplate.Execute(file, configData{Options: s.options, Secret: s.Secret, Presence: !s.quiet})
}

func (s *Server) file(name string) string { return filepath.Join(s.options.Dir, name) }

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
	return s.Run(ctx, process.Spec{
		Name: "dendrite", Path: s.programs.Server, Dir: s.options.Dir, LogFile: s.file("dendrite.log"),
		Args: []string{"-config", s.file("dendrite.yaml"), "-http-bind-address", s.options.Address},
	})
}
