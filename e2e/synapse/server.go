package synapse

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"matrix-messenger/e2e/homeserver"
	"matrix-messenger/e2e/process"
)

// worlds is the folder inside of the root that holds a folder for each server.
const worlds = "worlds"

// Server is one homeserver. Its files are inside of the installed system, because it sees no others; [Server.Remove] takes them away.
type Server struct {
	homeserver.Runner

	root    Root
	options homeserver.Options
	name    string // of its folder
}

var _ homeserver.Server = (*Server)(nil)

// New writes the configuration and makes the signing key. It starts nothing. The folder of the options is not used.
func New(ctx context.Context, root Root, options homeserver.Options) (*Server, error) {
	parent := filepath.Join(string(root), worlds)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Runner: homeserver.Runner{Address: options.Address, Secret: rand.Text()},
		root:   root, options: options, name: filepath.Base(dir),
	}
	if err := s.configure(); err != nil {
		return s, err
	}
	return s, process.Run(ctx, s.spec("--generate-keys"))
}

// configure writes the configuration, and the registrations where the program can see them.
func (s *Server) configure() error {
	data := configData{Options: s.options, Secret: s.Secret, Dir: path.Join("/", worlds, s.name)}
	for i, file := range s.options.Registrations {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("registration%d.yaml", i)
		if err := os.WriteFile(s.file(name), text, 0o600); err != nil {
			return err
		}
		data.Files = append(data.Files, data.File(name))
	}
	if err := os.WriteFile(s.file("log.yaml"), []byte(logConfig), 0o600); err != nil {
		return err
	}
	file, err := os.OpenFile(s.file("homeserver.yaml"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	return configTemplate.Execute(file, data)
}

// file is the path of one of the server's files, from outside.
func (s *Server) file(name string) string {
	return filepath.Join(string(s.root), worlds, s.name, name)
}

// spec is the program with its configuration.
func (s *Server) spec(more ...string) process.Spec {
	args := []string{string(s.root), "/usr/bin/python3", "-m", "synapse.app.homeserver", "-c", path.Join("/", worlds, s.name, "homeserver.yaml")}
	return process.Spec{Name: "synapse", Path: "chroot", LogFile: s.file("synapse.log"), Args: append(args, more...)}
}

// Start runs the server and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, homeserver.ReadyWithin)
	defer cancel()
	return s.Run(ctx, s.spec())
}

// Remove takes a stopped server's files away.
func (s *Server) Remove() error { return os.RemoveAll(s.file("")) }
