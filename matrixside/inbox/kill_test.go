package inbox_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/matrixside/inbox"
)

const childEnv = "MESSENGER_TEST_INBOX_CHILD"

// childOrder tells a child process which bridge it is.
type childOrder struct {
	Place    place
	Person   id.UserID
	Contacts []string // to make rooms with; empty in later runs
	KillOn   string   // a message after whose handling the process kills itself
	Attempts int      // inbox.Config.MaxAttempts
}

func TestMain(m *testing.M) {
	if order := os.Getenv(childEnv); order != "" {
		if err := childMain(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childMain is a bridge in a process of its own. It says "ready" when it handles events; at the end of its input it waits for an
// empty inbox and stops.
func childMain(encoded string) error {
	var order childOrder
	if err := json.Unmarshal([]byte(encoded), &order); err != nil {
		return err
	}
	ctx := context.Background()
	r, err := prepare(ctx, order.Place, inbox.Config{MaxAttempts: order.Attempts}, nil)
	if err != nil {
		return err
	}
	r.net.after = func(text string) {
		if text == order.KillOn {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if err = r.start(ctx); err != nil {
		return err
	}
	if len(order.Contacts) > 0 {
		if err = r.login(ctx, order.Person, order.Contacts...); err != nil {
			return err
		}
	}
	r.inbox.Ready()
	fmt.Println("ready")
	if _, err = io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	for r.inbox.Pending() > 0 {
		time.Sleep(time.Millisecond)
	}
	r.stop()
	return nil
}

// child is a running child process.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr bytes.Buffer
	ready  chan bool // whether it got ready before it ended
}

func startChild(t *testing.T, order childOrder) *child {
	t.Helper()
	encoded, err := json.Marshal(order)
	must(t, err)
	c := &child{cmd: exec.Command(os.Args[0]), ready: make(chan bool, 1)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(encoded))
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.cmd.Stderr = &c.stderr
	c.stdin, err = c.cmd.StdinPipe()
	must(t, err)
	stdout, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		c.ready <- line == "ready\n"
	}()
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	return c
}

func (c *child) awaitReady(t *testing.T) {
	t.Helper()
	if !<-c.ready {
		_ = c.cmd.Wait()
		t.Fatalf("the child did not get ready: %s", c.stderr.String())
	}
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	must(t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
}

// drain lets the child finish its work and end.
func (c *child) drain(t *testing.T) {
	t.Helper()
	must(t, c.stdin.Close())
	timeout := time.AfterFunc(60*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer timeout.Stop()
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("the child did not end well: %v: %s", err, c.stderr.String())
	}
}

func TestNothingIsLostRepeatedOrMisplacedWhenTheBridgeIsKilled(t *testing.T) {
	const kills, perRoom = 8, 120
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	hs := homeserver.Start(t, homeserver.Options{PushRetryMax: 20 * time.Millisecond, PushBatch: 7})
	p, as := newPlace(t, hs)
	ann := hs.User("ann")
	contacts := []string{"mary", "john", "jane", "paul"}
	order := childOrder{Place: p, Person: ann.ID, Contacts: contacts, Attempts: 100}

	c := startChild(t, order)
	c.awaitReady(t)
	order.Contacts = nil
	rooms := roomsOf(t, ann, hs, contacts)
	sent := make(map[string][]string) // texts by contact
	send := func(count int) {
		for range count {
			contact := contacts[random.IntN(len(contacts))]
			text := fmt.Sprintf("%s %03d", contact, len(sent[contact]))
			sent[contact] = append(sent[contact], text)
			_, err := ann.SendText(rooms[contact], text)
			must(t, err)
		}
	}
	for n := range kills {
		send(len(contacts) * perRoom / kills)
		if n%2 == 0 { // somewhere in the middle of it
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
			c.kill(t)
		} else { // exactly between the handling of an event and its mark
			_ = c.cmd.Wait()
		}
		order.KillOn = ""
		if n%2 == 0 {
			contact := contacts[random.IntN(len(contacts))]
			order.KillOn = fmt.Sprintf("%s %03d", contact, len(sent[contact])+2)
			sendTo(t, ann, rooms[contact], sent, contact, 5)
		}
		c = startChild(t, order)
		if order.KillOn == "" {
			c.awaitReady(t)
		}
	}
	send(20)
	idle, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	must(t, as.WaitIdle(idle))
	c.drain(t)
	checkOutbox(t, p, sent)
}

func sendTo(t *testing.T, ann *homeserver.User, room id.RoomID, sent map[string][]string, contact string, count int) {
	for range count {
		text := fmt.Sprintf("%s %03d", contact, len(sent[contact]))
		sent[contact] = append(sent[contact], text)
		_, err := ann.SendText(room, text)
		must(t, err)
	}
}

// roomsOf finds the rooms that the first run made.
func roomsOf(t *testing.T, ann *homeserver.User, hs *homeserver.Server, contacts []string) map[string]id.RoomID {
	t.Helper()
	rooms := make(map[string]id.RoomID)
	for _, contact := range contacts {
		ghost := id.NewUserID("messenger_"+contact, hs.Domain())
		for _, room := range ann.Rooms() {
			if room.Has(ghost) {
				rooms[contact] = room.ID
			}
		}
		if rooms[contact] == "" {
			t.Fatalf("%s has no room", contact)
		}
	}
	return rooms
}

// checkOutbox compares what came through with what was sent.
func checkOutbox(t *testing.T, p place, sent map[string][]string) {
	t.Helper()
	raw := reopen(t, p)
	rows, err := raw.Query(t.Context(), `SELECT chat_id, body FROM messenger_outbox ORDER BY seq`)
	must(t, err)
	got := make(map[string][]string)
	for rows.Next() {
		var contact string
		var body []byte
		must(t, rows.Scan(&contact, &body))
		got[contact] = append(got[contact], string(body))
	}
	must(t, rows.Err())
	must(t, rows.Close())
	total := 0
	for contact, texts := range sent {
		total += len(texts)
		if strings.Join(got[contact], "|") != strings.Join(texts, "|") {
			t.Errorf("%s got %d of %d messages, or in another order:\n%q", contact, len(got[contact]), len(texts), got[contact])
		}
	}
	var stored, pending int
	must(t, raw.QueryRow(t.Context(), `SELECT COUNT(*) FROM message WHERE sender_mxid=$1`, "@ann:"+p.Domain).Scan(&stored))
	must(t, raw.QueryRow(t.Context(), `SELECT COUNT(*) FROM messenger_matrix_inbox WHERE state<>'handled'`).Scan(&pending))
	if stored != total || pending != 0 {
		t.Errorf("of %d messages bridgev2 has %d; %d events are not handled", total, stored, pending)
	}
	t.Logf("%d messages", total)
}

func TestABridgeThatOneMessageAlwaysKillsGetsOverIt(t *testing.T) {
	hs := homeserver.Start(t, homeserver.Options{PushRetryMax: 20 * time.Millisecond})
	p, as := newPlace(t, hs)
	ann := hs.User("ann")
	order := childOrder{Place: p, Person: ann.ID, Contacts: []string{"mary"}, KillOn: "poison", Attempts: 2}
	c := startChild(t, order)
	c.awaitReady(t)
	order.Contacts = nil
	rooms := roomsOf(t, ann, hs, []string{"mary"})
	for _, text := range []string{"before", "poison", "after"} {
		_, err := ann.SendText(rooms["mary"], text)
		must(t, err)
	}
	for range 3 { // one death on arrival, two counted attempts
		_ = c.cmd.Wait()
		c = startChild(t, order)
	}
	c.awaitReady(t)
	idle, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	must(t, as.WaitIdle(idle))
	c.drain(t)
	raw := reopen(t, p)
	var state, last string
	must(t, raw.QueryRow(t.Context(), `SELECT state FROM messenger_matrix_inbox WHERE attempts>0 ORDER BY attempts DESC LIMIT 1`).Scan(&state))
	must(t, raw.QueryRow(t.Context(), `SELECT body FROM messenger_outbox ORDER BY seq DESC LIMIT 1`).Scan(&last))
	if state != "poisoned" || last != "after" {
		t.Errorf("the event is %s, the last message %q", state, last)
	}
}
