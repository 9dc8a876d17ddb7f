package prosody

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"matrix-messenger/e2e/process"
)

// readyWithin bounds the time until Prosody listens; it takes half a second on an idle machine.
const readyWithin = 60 * time.Second

// ErrMissing says that Prosody is not installed.
var ErrMissing = errors.New("prosody is not installed")

// Account is somebody at the service.
type Account struct {
	User     string // localpart of the JID
	Email    string
	Token    string // access token
	Name     string
	Contacts []string // e-mail addresses of accounts who are contacts from the start
}

// Options say what service is to be run.
type Options struct {
	Dir      string // a folder for everything it writes
	Domain   string
	Accounts []Account
}

// Server is one Prosody. Made by New, it may be started and stopped several times.
type Server struct {
	program string
	options Options
	entry   string // host:port that redirects
	gateway string // host:port that lets in
	proc    *process.Process
}

// New writes the configuration, the module and the certificates. It starts nothing.
func New(options Options) (*Server, error) {
	program, err := exec.LookPath("prosody")
	if err != nil {
		return nil, ErrMissing
	}
	s := &Server{program: program, options: options}
	for _, place := range []*string{&s.entry, &s.gateway} {
		if *place, err = process.FreeAddress(); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{"data", "plugins"} {
		if err := os.MkdirAll(s.file(dir), 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(s.file("plugins", "mod_messenger.lua"), module, 0o600); err != nil {
		return nil, err
	}
	if err := writeCertificate(options.Domain, s.CAFile(), s.file("certificate.pem"), s.file("key.pem")); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(s.file("prosody.cfg.lua"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, entryPort, err := net.SplitHostPort(s.entry)
	if err != nil {
		return nil, err
	}
	_, gatewayPort, err := net.SplitHostPort(s.gateway)
	if err != nil {
		return nil, err
	}
	return s, configTemplate.Execute(file, configData{
		Domain: options.Domain, EntryPort: entryPort, GatewayPort: gatewayPort, Gateway: s.gateway, Accounts: options.Accounts,
		File: map[string]string{
			"pid": s.file("prosody.pid"), "data": s.file("data"), "plugins": s.file("plugins"),
			"certificate": s.file("certificate.pem"), "key": s.file("key.pem"),
		},
	})
}

func (s *Server) file(names ...string) string {
	return filepath.Join(append([]string{s.options.Dir}, names...)...)
}

// Address is where clients connect first; whoever comes there is sent to Gateway.
func (s *Server) Address() string { return s.entry }

// Gateway is where clients are let in.
func (s *Server) Gateway() string { return s.gateway }

// CAFile holds the certificate of the authority.
func (s *Server) CAFile() string { return s.file("ca.pem") }

// Start runs Prosody and waits until it listens.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	proc, err := process.Start(process.Spec{
		Name: "prosody", Path: s.program, Dir: s.options.Dir, LogFile: s.file("prosody.log"),
		Args: []string{"--config", s.file("prosody.cfg.lua"), "-F"},
	})
	if err != nil {
		return err
	}
	s.proc = proc
	for _, address := range []string{s.entry, s.gateway} {
		if err := proc.WaitListening(ctx, address); err != nil {
			proc.Kill()
			return err
		}
	}
	// Prosody goes on without a module that fails.
	if proc.Contains("Error initializing module") {
		proc.Kill()
		return fmt.Errorf("prosody could not load all modules\n%s", proc.Tail(60))
	}
	return nil
}

// Stop ends Prosody in order.
func (s *Server) Stop() error {
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop()
}

// Log is the last n lines that it printed in this run.
func (s *Server) Log(n int) string {
	if s.proc == nil {
		return ""
	}
	return s.proc.Tail(n)
}

// Logged reports whether it printed text in any of its runs.
func (s *Server) Logged(text string) bool { return s.proc != nil && s.proc.Contains(text) }
