package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// roleEnv names the part that a process of this program plays; without it, the one that measures.
const roleEnv = "MATRIX_MESSENGER_BENCH_ROLE"

// Roles.
const (
	roleService = "service" // messengerd
	roleTLS     = "tls"     // idle TLS connections, the yardstick for memory
	roleNoop    = "noop"    // a bridge whose network does nothing, the yardstick for messages
	roleBridge  = "bridge"  // the bridge, when no program is given
)

// Where a role finds its questions and puts its answers. Standard output belongs to what it logs.
const (
	askFD    = 3
	answerFD = 4
)

// question is one line to a role, answer one line from it.
type question struct {
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args,omitempty"`
}

type answer struct {
	Error string          `json:"error,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// role is a process of this program that answers questions, one after the other.
type role struct {
	name   string
	cmd    *exec.Cmd
	ask    *os.File
	exited chan struct{}

	mu      sync.Mutex
	answers *json.Decoder
	pipe    *os.File
}

// startRole starts a role. args are what its program gets as arguments, output takes what it prints.
func startRole(name string, output *os.File, args ...string) (*role, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	askRead, askWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answerRead, answerWrite, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, askRead.Close(), askWrite.Close())
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), roleEnv+"="+name)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{askRead, answerWrite}
	cmd.SysProcAttr = sysProcAttr()
	err = cmd.Start()
	_, _ = askRead.Close(), answerWrite.Close()
	if err != nil {
		return nil, errors.Join(err, askWrite.Close(), answerRead.Close())
	}
	r := &role{name: name, cmd: cmd, ask: askWrite, pipe: answerRead, answers: json.NewDecoder(answerRead), exited: make(chan struct{})}
	go func() {
		defer close(r.exited)
		_ = cmd.Wait() // how it ended shows in what it printed
	}()
	return r, nil
}

// call asks and waits for the answer; value may be nil.
func (r *role) call(op string, args, value any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err = json.NewEncoder(r.ask).Encode(question{op, raw}); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	var a answer
	if err = r.answers.Decode(&a); err != nil {
		return fmt.Errorf("%s, asked to %s: %w", r.name, op, err)
	}
	if a.Error != "" {
		return fmt.Errorf("%s, asked to %s: %s", r.name, op, a.Error)
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(a.Value, value)
}

func (r *role) pid() int { return r.cmd.Process.Pid }

// kill ends the role as kill -9 does, and waits for its end.
func (r *role) kill() {
	_ = r.cmd.Process.Kill() // gone already is fine too
	<-r.exited
	_, _ = r.ask.Close(), r.pipe.Close()
}

// operations answer a role's questions.
type operations map[string]func(args json.RawMessage) (any, error)

// serve answers until nobody can ask any more.
func (ops operations) serve() error {
	in, out := os.NewFile(askFD, "questions"), os.NewFile(answerFD, "answers")
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var a answer
		value, err := any(nil), fmt.Errorf("there is no operation %q", q.Op)
		if op := ops[q.Op]; op != nil {
			value, err = op(q.Args)
		}
		if err == nil {
			a.Value, err = json.Marshal(value)
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err = answers.Encode(a); err != nil {
			return err
		}
	}
}

// operation makes an operation of a function with typed arguments.
func operation[A, V any](f func(A) (V, error)) func(json.RawMessage) (any, error) {
	return func(raw json.RawMessage) (any, error) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, err
		}
		return f(args)
	}
}

// none is for operations without arguments or without a value.
type none struct{}
