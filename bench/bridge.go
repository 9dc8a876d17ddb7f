package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/appservice"

	"matrix-messenger/bridge"
	"matrix-messenger/internal/homeserver"
)

// section is a part of a bridge's configuration file.
type section = map[string]any

const (
	secret       = "bench-secret-bench-secret-bench-" // of the provisioning API and the database's key
	startTimeout = 2 * time.Minute
)

// installation is a bridge's folder: its configuration, database and log.
type installation struct {
	dir     string
	hs      *homeserver.Server
	as      *homeserver.Appservice
	reg     *appservice.Registration
	url     string // the appservice's
	metrics string // address of its numbers
	config  section
}

// install writes a configuration. network is laid over the section of this name; nil leaves it out, for the bridge whose network does nothing.
func install(dir string, network section) (*installation, error) {
	hs, err := homeserver.New(homeserver.Options{Domain: matrixDomain, RecordLimit: 1 << 20, PushBatch: 100})
	if err != nil {
		return nil, err
	}
	in := &installation{dir: dir, hs: hs}
	port, err := freePort()
	if err != nil {
		return in, err
	}
	numbers, err := freePort()
	if err != nil {
		return in, err
	}
	in.url, in.metrics = fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", numbers)
	if in.reg, in.as, err = hs.Registration(in.url); err != nil {
		return in, err
	}
	in.config = section{
		"bridge":     section{"command_prefix": "!messenger", "permissions": section{matrixDomain: "user"}},
		"database":   section{"type": "sqlite3-fk-wal", "uri": in.databaseURI()},
		"homeserver": section{"address": hs.URL(), "domain": matrixDomain},
		"appservice": section{
			"address": in.url, "hostname": "127.0.0.1", "port": port, "id": in.reg.ID, "bot": section{"username": "messengerbot"},
			"as_token": in.reg.AppToken, "hs_token": in.reg.ServerToken, "username_template": "messenger_{{.}}", "ephemeral_events": true,
		},
		"provisioning": section{"shared_secret": secret, "debug_endpoints": true},
		"logging":      section{"min_level": "info", "writers": []section{{"type": "stdout", "format": "json"}}},
	}
	if network != nil {
		all := section{
			"domain": serviceDomain, "secret_key": secret, "oauth": section{"client_id": "0000000000000001"},
			"metrics": section{"listen": in.metrics},
		}
		for key, value := range network {
			all[key] = value
		}
		in.config["network"] = all
	}
	return in, in.write()
}

func (in *installation) databaseURI() string {
	return "file:" + in.file("bridge.db") + "?_txlock=immediate"
}

func (in *installation) file(name string) string { return filepath.Join(in.dir, name) }

func (in *installation) write() error {
	text, err := yaml.Marshal(in.config)
	if err != nil {
		return err
	}
	return os.WriteFile(in.file("config.yaml"), text, 0o600)
}

func (in *installation) close() {
	if in != nil && in.hs != nil {
		in.hs.Close()
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// program is a run of the bridge.
type program struct {
	in      *installation
	cmd     *exec.Cmd
	exited  chan struct{}
	err     error // valid after exited
	started time.Time
}

// run starts the bridge: the given program, or this one in the bridge's role.
func (in *installation) run(binary string) (*program, error) {
	env := os.Environ()
	if binary == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		// In a test with the race detector, the framework's races are not for this program to judge (internal/scenario does).
		binary, env = self, append(env, roleEnv+"="+roleBridge, "GORACE=exitcode=0")
	}
	log, err := os.OpenFile(in.file("bridge.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(binary, "-c", in.file("config.yaml"), "--no-update")
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = env, log, log, sysProcAttr()
	p := &program{in: in, cmd: cmd, exited: make(chan struct{}), started: time.Now()}
	if err = cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		p.err = cmd.Wait()
	}()
	return p, nil
}

func (p *program) pid() int { return p.cmd.Process.Pid }

// stop ends the bridge in order.
func (p *program) stop() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.exited:
		return nil // by itself: whoever waited for it has said so
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return p.err
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.exited
		return errors.New("the bridge did not stop within a minute")
	}
}

// until waits for something that is found out by looking.
func (p *program) until(what string, timeout time.Duration, holds func() (bool, error)) error {
	deadline := time.Now().Add(timeout)
	for {
		ok, err := holds()
		if ok {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("waiting for %s: the bridge ended: %w\n%s", what, errors.Join(p.err, errors.New("see its log")), p.in.logTail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("waiting for %s took longer than %s", what, timeout), err)
		}
	}
}

func (in *installation) logTail() string {
	text, err := os.ReadFile(in.file("bridge.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// online waits until n sessions are signed in.
func (p *program) online(n int, timeout time.Duration) error {
	return p.until(fmt.Sprintf("%d sessions", n), timeout, func() (bool, error) {
		numbers, err := p.in.numbers()
		if err == nil && int(numbers[`matrix_messenger_sessions{state="CONNECTED"}`]) >= n {
			return true, nil
		}
		time.Sleep(200 * time.Millisecond) // each look walks over all sessions
		return false, err
	})
}

// up waits until the bridge answers.
func (p *program) up() error {
	return p.until("the bridge to start", startTimeout, func() (bool, error) {
		resp, err := http.Get(p.in.url + "/_matrix/mau/ready")
		if err != nil {
			return false, err
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
}

// numbers are the bridge's metrics by name and labels.
func (in *installation) numbers() (map[string]float64, error) {
	resp, err := http.Get("http://" + in.metrics + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	found := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		at := strings.LastIndexByte(line, ' ')
		if line[0] == '#' || at < 0 {
			continue
		}
		var value float64
		if _, err := fmt.Sscan(line[at+1:], &value); err == nil {
			found[line[:at]] = value
		}
	}
	return found, nil
}

// runBridge is the role `bridge`.
func runBridge() {
	m := bridge.NewMain()
	m.InitVersion("", "", "")
	m.Run()
}
