package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long Stop waits after SIGTERM before it kills.
const stopGrace = 15 * time.Second

// tailLines bounds what is remembered of a program's output.
const tailLines = 200

// Spec says how a program is started.
type Spec struct {
	Name string   // for messages and the log file's name
	Path string   // executable
	Args []string // without the program's own name
	Dir  string   // working directory; empty: the caller's
	Env  []string // added to the caller's environment
	// LogFile receives everything the program prints; empty: kept in memory only (the last lines).
	LogFile string
	// OnLine sees each line printed, from one goroutine at a time; nil: nobody looks.
	OnLine func(line string)
}

// Process is a running (or ended) program.
type Process struct {
	name string
	pid  int
	out  *output
	done chan struct{} // closed when the program has ended and its output is read
	err  error         // set before done is closed
}

// Start starts the program and returns as soon as it runs.
func Start(spec Spec) (*Process, error) {
	out, err := newOutput(spec)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Dir = spec.Dir
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	// A grandchild that keeps the pipe open must not hold up Wait for ever.
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = sysProcAttr()

	p := &Process{name: spec.Name, out: out, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel ties "end when the parent ends" to the thread that forked, so that
		// thread has to live as long as the program does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		out.close()
		close(p.done)
	}()
	if err := <-started; err != nil {
		out.close()
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	return p, nil
}

// Run starts the program and waits for it. The error of a failed program ends with its last lines.
// When ctx ends first, the program is stopped and ctx's error returned.
func Run(ctx context.Context, spec Spec) error {
	p, err := Start(spec)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.Stop()
		return ctx.Err()
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", spec.Name, p.err, p.Tail(20))
	}
	return nil
}

// PID is the process ID.
func (p *Process) PID() int { return p.pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the program ended: nil for exit status 0. It is valid after Done.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return errors.New("still running")
	}
}

// Wait waits for the program to end by itself.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended: %w", p.name, ctx.Err())
	}
}

// Stop asks the program to end (SIGTERM), waits, and kills it when it does not. It returns an error
// only when it had to kill.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM and was killed\n%s", p.name, stopGrace, p.Tail(20))
	}
}

// Kill ends the program at once, as a crash would (SIGKILL), and waits until it is gone.
func (p *Process) Kill() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(p.pid, syscall.SIGKILL)
	<-p.done
}

// Tail returns the last n lines that the program printed.
func (p *Process) Tail(n int) string { return p.out.tail(n) }

// Contains reports whether the program has printed text so far. It looks through all of the log file
// when there is one, else through the remembered lines.
func (p *Process) Contains(text string) bool {
	if p.out.path != "" {
		data, err := os.ReadFile(p.out.path)
		return err == nil && bytes.Contains(data, []byte(text))
	}
	return strings.Contains(p.out.tail(tailLines), text)
}

// output collects what a program prints: into a file, into a ring of last lines, to a listener.
type output struct {
	mu     sync.Mutex
	path   string
	file   *os.File
	part   []byte // the line that is not complete yet
	lines  []string
	onLine func(string)
}

func newOutput(spec Spec) (*output, error) {
	o := &output{path: spec.LogFile, onLine: spec.OnLine}
	if spec.LogFile == "" {
		return o, nil
	}
	if err := os.MkdirAll(filepath.Dir(spec.LogFile), 0o755); err != nil {
		return nil, err
	}
	var err error
	o.file, err = os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return o, err
}

// Write implements io.Writer; os/exec calls it from one goroutine, as stdout and stderr are the same.
func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		if _, err := o.file.Write(data); err != nil {
			return 0, err
		}
	}
	o.part = append(o.part, data...)
	for {
		end := bytes.IndexByte(o.part, '\n')
		if end < 0 {
			return len(data), nil
		}
		o.line(string(o.part[:end]))
		o.part = o.part[end+1:]
	}
}

func (o *output) line(text string) {
	o.lines = append(o.lines, text)
	if len(o.lines) > tailLines {
		o.lines = append(o.lines[:0], o.lines[len(o.lines)-tailLines:]...)
	}
	if o.onLine != nil {
		o.onLine(text)
	}
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.part) > 0 {
		o.line(string(o.part))
		o.part = nil
	}
	if o.file != nil {
		_ = o.file.Close()
		o.file = nil
	}
}

func (o *output) tail(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
