package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// settings are what the flags say.
type settings struct {
	bridge   string // the bridge's program
	sessions []int
	contacts int
	connects int // per second
	settle   time.Duration
	outage   time.Duration
	only     []string
	out      string // folder for profiles and logs

	chats, logins int
	messages      int // for throughput, each way
	pings         int // for latency, each way
	presences     int
	archived      int // chats with an archive
}

// parts are what can be chosen with -only, in the order they run.
var parts = []string{"memory", "start", "storm", "latency", "throughput", "flood", "history"}

func parse(args []string, output io.Writer) (settings, error) {
	var s settings
	var sessions, only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&s.bridge, "bridge", "", "the bridge's `program`; without it, this program plays it")
	flags.StringVar(&sessions, "sessions", "100,1000,10000", "numbers of signed-in `sessions` for memory; start and storm use the last one")
	flags.IntVar(&s.contacts, "contacts", 50, "contacts of each session")
	flags.IntVar(&s.connects, "connects", 200, "network.connects_per_second")
	flags.DurationVar(&s.settle, "settle", time.Minute, "how long sessions are left alone before their memory is measured")
	flags.DurationVar(&s.outage, "outage", 20*time.Second, "how long the service is away in the storm")
	flags.StringVar(&only, "only", strings.Join(parts, ","), "`parts` to run")
	flags.StringVar(&s.out, "out", "", "`folder` for profiles and logs; without it they are dropped")
	flags.IntVar(&s.chats, "chats", 200, "chats for throughput")
	flags.IntVar(&s.logins, "logins", 20, "accounts that the chats belong to")
	flags.IntVar(&s.messages, "messages", 20_000, "messages each way for throughput")
	flags.IntVar(&s.pings, "pings", 2_000, "messages each way for latency")
	flags.IntVar(&s.presences, "presences", 10_000, "stanzas of the presence flood")
	flags.IntVar(&s.archived, "archived", 200, "chats whose history is imported")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	for number := range strings.SplitSeq(sessions, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return s, fmt.Errorf("-sessions: %q is not a number of sessions", number)
		}
		s.sessions = append(s.sessions, n)
	}
	for part := range strings.SplitSeq(only, ",") {
		if !slices.Contains(parts, part) {
			return s, fmt.Errorf("-only: there is no part %q, only %s", part, strings.Join(parts, ", "))
		}
		s.only = append(s.only, part)
	}
	if s.logins < 1 || s.chats < 1 || s.chats > s.logins*s.contacts || flags.NArg() > 0 {
		return s, errors.New("-logins, -chats: there must be some, and not more chats than the logins have contacts")
	}
	return s, nil
}

func main() {
	var err error
	switch os.Getenv(roleEnv) {
	case roleService:
		err = serveService()
	case roleTLS:
		err = serveTLS()
	case roleNoop:
		err = serveNoop()
	case roleBridge:
		runBridge()
	default:
		err = measure(os.Args[1:], os.Stdout, os.Stderr)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs the parts that were asked for and prints the table.
func measure(args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	b := &bench{settings: s, dir: dir, stderr: stderr, began: time.Now()}
	if s.out != "" {
		err = os.MkdirAll(s.out, 0o700)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	ended := make(chan error, 1)
	go func(err error) {
		if err == nil {
			err = b.run()
		}
		ended <- err
	}(err)
	select {
	case err = <-ended:
	case <-interrupted: // the other processes end with this one
		err = errors.New("interrupted; the table has what was measured until then")
	}
	b.print(stdout)
	return errors.Join(err, os.RemoveAll(dir))
}

// bench is one run of the program.
type bench struct {
	settings
	dir    string
	stderr io.Writer
	began  time.Time
	mu     sync.Mutex // held over rows
	rows   []row
	idle   int64 // resident bytes of a bridge that nobody has signed in to; 0: not measured yet
}

func (b *bench) wants(part string) bool { return slices.Contains(b.only, part) }

func (b *bench) run() error {
	if b.wants("memory") || b.wants("start") || b.wants("storm") {
		for i, n := range b.sessions {
			last := i == len(b.sessions)-1
			if !b.wants("memory") && !last {
				continue
			}
			if err := b.scale(n, last); err != nil {
				return fmt.Errorf("%d sessions: %w", n, err)
			}
		}
	}
	if b.wants("latency") || b.wants("throughput") || b.wants("flood") {
		if err := b.talk(); err != nil {
			return err
		}
	}
	if b.wants("history") {
		return b.history()
	}
	return nil
}

// say tells what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.stderr, "%6.1fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// folder makes one for a part of the run.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// log opens the file that the other processes of a part write to.
func (b *bench) log(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "roles.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}
