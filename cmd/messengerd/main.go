// Command messengerd runs the stand-in Messenger service: see the package
// messengerd for what it implements, and docs/messengerd.md for its use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"matrix-messenger/messengerd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program; the result is its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("messengerd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "messengerd.yaml", "configuration `file`")
	check := flags.Bool("check", false, "check the configuration and end")
	verbose := flags.Bool("v", false, "log every connection")
	flags.Usage = func() {
		fmt.Fprintf(stdout, "messengerd is a stand-in for the Messenger XMPP service, for development, tests and demos.\n\nUsage: messengerd -config messengerd.yaml\n\n")
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		fmt.Fprintf(stdout, "\n%s", messengerd.Help())
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	cfg, err := messengerd.LoadConfig(*path)
	if err != nil {
		fmt.Fprintln(stderr, "messengerd:", err)
		return 1
	}
	server, err := messengerd.New(cfg, messengerd.WithLogger(log))
	if err != nil {
		fmt.Fprintln(stderr, "messengerd:", err)
		return 1
	}
	if *check {
		fmt.Fprintln(stdout, "The configuration is good.")
		return 0
	}
	if err := server.Start(ctx); err != nil {
		fmt.Fprintln(stderr, "messengerd:", err)
		return 1
	}
	fmt.Fprintf(stdout, "listening xmpp=%s oauth=%s control=%s\n", server.Addr(), server.OAuthURL(), server.ControlURL())
	<-ctx.Done()
	if err := server.Close(); err != nil {
		fmt.Fprintln(stderr, "messengerd:", err)
		return 1
	}
	return 0
}
