package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// bridgeProcess is one run of the bridge.
type bridgeProcess struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	ready  chan struct{} // closed when the bridge said so
	exited chan struct{} // closed when the process has ended
	err    error         // how it ended, valid after exited
}

// launch starts the bridge's process, with additions to its environment; its output is appended to the log file.
func launch(config, logFile string, env ...string) (*bridgeProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	output, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-c", config, "--no-update")
	// Races are judged by what the output says of them (see defects), not by the exit status.
	cmd.Env = append(append(os.Environ(), childEnv+"=1", "GORACE=exitcode=0"), env...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{readyWrite}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, readyRead.Close(), readyWrite.Close())
	}
	if err = cmd.Start(); err != nil {
		return nil, errors.Join(err, readyRead.Close(), readyWrite.Close())
	}
	_ = readyWrite.Close()
	p := &bridgeProcess{cmd: cmd, stdin: stdin, ready: make(chan struct{}), exited: make(chan struct{})}
	go func() {
		defer readyRead.Close()
		if said, _ := io.ReadAll(readyRead); len(said) > 0 {
			close(p.ready)
		}
	}()
	go func() {
		defer close(p.exited)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// waitReady waits until the bridge has started.
func (p *bridgeProcess) waitReady(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("the bridge ended while starting: %w", p.exitError())
	case <-ctx.Done():
		return fmt.Errorf("the bridge did not start: %w", ctx.Err())
	}
}

func (p *bridgeProcess) exitError() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// running tells whether the process is there.
func (p *bridgeProcess) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop asks the bridge to end and waits for it.
func (p *bridgeProcess) stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		_ = p.stdin.Close()
		return p.err
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("the bridge did not stop: %w", ctx.Err())
	}
}

// kill ends the bridge as kill -9 does.
func (p *bridgeProcess) kill() {
	_ = p.cmd.Process.Kill() // gone already is fine too
	<-p.exited
	_ = p.stdin.Close()
}

// tail is the end of the bridge's output.
func tail(logFile string, size int) string {
	output, err := os.ReadFile(logFile)
	if err != nil {
		return err.Error()
	}
	if len(output) > size {
		output = output[len(output)-size:]
		if _, rest, ok := bytes.Cut(output, []byte("\n")); ok {
			output = rest
		}
	}
	return string(output)
}

// stopGrace is how long the bridge may take to stop.
const stopGrace = 30 * time.Second
