// Command demo shows the bridge at work on this machine alone: it builds and starts a homeserver, the
// stand-in Messenger service with a few contacts who act by themselves, the bridge and a Matrix user;
// signs in; prints the conversation as it happens; and then stays up so that people can join in with
// any Matrix client, until Ctrl-C.
//
// Everything listens on loopback and lives in a temporary folder that is removed at the end.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"matrix-messenger/e2e/process"
	"matrix-messenger/e2e/world"
	"matrix-messenger/messengerd"
)

// buildWithin covers the first compilation of a homeserver on a slow machine.
const buildWithin = 30 * time.Minute

// talkWithin bounds sign-in and the scripted conversation.
const talkWithin = 3 * time.Minute

func main() {
	once := flag.Bool("once", false, "end after the scripted conversation")
	web := flag.Bool("web", true, "build and serve a browser client when npm is installed")
	keep := flag.Bool("keep", false, "keep the folder with all files and logs at the end")
	port := flag.String("port", "8008", "the homeserver's `port`; another one is taken when it is in use")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{out: newScreen(os.Stdout), once: *once, web: *web, keep: *keep, port: *port, began: time.Now()}
	if err := d.run(ctx); err != nil {
		if ctx.Err() != nil {
			return // Ctrl-C, everything is cleaned up
		}
		fmt.Fprintln(os.Stderr, "The demo ended:", err)
		os.Exit(1)
	}
}

// demo is one run.
type demo struct {
	out             *screen
	once, web, keep bool
	port            string
	began           time.Time
	dir             string
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "matrix-messenger-demo-"); err != nil {
		return err
	}
	defer d.removeFolder()
	serviceLog, err := os.Create(filepath.Join(d.dir, "messengerd.log"))
	if err != nil {
		return err
	}
	defer serviceLog.Close()

	d.out.step("Building homeserver and bridge (minutes the first time, seconds later)")
	talk := newTalk(d.out)
	building, cancel := context.WithTimeout(ctx, buildWithin)
	defer cancel()
	w, err := world.New(building, world.Setup{
		Dir: d.dir, HomeAddress: d.homeAddress(), Progress: d.out.note,
		Log:     slog.New(slog.NewTextHandler(serviceLog, nil)),
		Service: people,
		Bridge:  map[string]any{"network.rooms.at_login": "all"},
		Client:  talk.options(),
	})
	if err != nil {
		return err
	}
	defer func() {
		d.out.step("Ending everything")
		if closeErr := w.Close(); err == nil && ctx.Err() == nil {
			err = closeErr
		}
	}()
	talk.setClient(w.John)

	talking, cancel := context.WithTimeout(ctx, talkWithin)
	defer cancel()
	d.out.step("Starting the bridge")
	if err := w.Bridge.Start(talking); err != nil {
		return err
	}
	d.out.step("Signing %s in at Messenger, through the bridge's bot and the service's sign-in page", world.UserMail)
	signIn := time.Now()
	if err := w.SignInWithBrowser(talking); err != nil {
		return fmt.Errorf("%w\n%s", err, w.Report())
	}
	d.out.step("The conversation, as the Matrix user sees it")
	if err := talk.play(talking); err != nil {
		return fmt.Errorf("%w\n%s", err, w.Report())
	}
	d.out.step("First message %.1f s after the sign-in began, %.1f s after the start of the demo",
		talk.firstMessage().Sub(signIn).Seconds(), talk.firstMessage().Sub(d.began).Seconds())
	if d.once {
		return nil
	}
	return d.stay(ctx, w)
}

// stay says how to join in and waits for Ctrl-C.
func (d *demo) stay(ctx context.Context, w *world.World) error {
	client := ""
	if d.web {
		site, err := startWebClient(ctx, d.out, w.Home.URL())
		if err != nil {
			d.out.step("There is no browser client this time: %v", err)
		} else {
			defer site.Close()
			client = site.URL()
		}
	}
	d.out.end()
	fmt.Printf("\nJoin in with any Matrix client:\n\n")
	if client != "" {
		fmt.Printf("    browser      %s   (Hydrogen, already pointed at the homeserver)\n", client)
	}
	fmt.Printf("    homeserver   %s\n    user         %s\n    password     %s\n\n", w.Home.URL(), world.User, world.Password)
	fmt.Printf("Write to %s: she answers with your words. %s is away at times. The bridge's bot is %s; say 'help' to it.\n", erika, anna, world.Bot)
	fmt.Printf("Act as a contact yourself: the service's control interface is %s, see docs/messengerd.md. For example:\n\n", w.Service.ControlURL())
	fmt.Printf("    curl -X POST %s/accounts/%s/message -d '{\"to\":%q,\"body\":\"Hi!\"}'\n\n", w.Service.ControlURL(), svenMail, world.UserMail)
	fmt.Printf("Configuration, logs and databases are in %s. Ctrl-C ends everything.\n\n", d.dir)
	<-ctx.Done()
	return nil
}

// homeAddress takes the usual port of a homeserver when it is free: easier to type.
func (d *demo) homeAddress() string {
	address := "127.0.0.1:" + d.port
	if process.Free(address) {
		return address
	}
	return ""
}

func (d *demo) removeFolder() {
	if d.keep {
		d.out.step("Kept: %s", d.dir)
		return
	}
	if err := os.RemoveAll(d.dir); err != nil {
		d.out.step("The folder %s could not be removed: %v", d.dir, err)
	}
}

// People of the demo.
const (
	erika, erikaMail = "Erika Echo", "erika@contoso.com"
	sven, svenMail   = "Sven Script", "sven@contoso.com"
	anna, annaMail   = "Anna Away", "anna@contoso.com"
)

// people configures the service: John's account and three contacts who act by themselves.
func people(config *messengerd.Config) {
	john := config.Accounts[0]
	contact := func(mail, name, behaviour string) messengerd.AccountConfig {
		return messengerd.AccountConfig{
			Email: mail, Name: name, Contact: true, Behaviour: behaviour,
			Contacts: []messengerd.ContactConfig{{Account: world.UserMail, Subscription: "both"}},
		}
	}
	echoes := contact(erikaMail, erika, "echo")
	script := contact(svenMail, sven, "script")
	script.Script = []messengerd.ScriptStep{
		{Wait: 2 * time.Second, Typing: time.Second, Say: svenAsks},
		{Await: true, Wait: time.Second, Typing: time.Second, Say: "Still the old Messenger, since 2005 ☺ <3 & no plans to change.\nHow do you do it?"},
		{Await: true, Wait: time.Second, Typing: time.Second, Say: svenEnds},
	}
	away := contact(annaMail, anna, "away_and_back")
	away.Status, away.Period = "working on the talk", 6*time.Second
	config.Accounts = []messengerd.AccountConfig{john, echoes, script, away}
	config.Control.Listen = "127.0.0.1:0"
}
