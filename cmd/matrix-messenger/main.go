// Command matrix-messenger is a Matrix appservice that gives every Matrix user their own signed-in session on the Messenger XMPP service.
//
// Without a subcommand it runs the bridge, with the flags of bridgev2. Subcommands: run (the same), version, doctor, which looks the installation over, and
// those that look after the database: migrate-database, backup, export.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"matrix-messenger/bridge"
	"matrix-messenger/bridge/doctor"
)

// Set by the build with -ldflags -X; see the Makefile.
var (
	Tag       = ""
	Commit    = ""
	BuildTime = ""
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "run":
			// The framework's flags do not mind a word that is none.
		case "version":
			os.Args[1] = "--version" // in place: the framework has the same array
		case "doctor":
			os.Exit(runDoctor(os.Args[2:]))
		}
		if command, ok := subcommands[os.Args[1]]; ok {
			os.Exit(runSubcommand(os.Args[1], command, os.Args[2:]))
		}
	}
	bridge.Commit = Commit
	m := bridge.NewMain()
	m.InitVersion(Tag, Commit, BuildTime)
	m.Run()
}

// runDoctor returns the exit status: 1 when any check fails, 2 when the arguments are wrong.
func runDoctor(args []string) int {
	flags := flag.NewFlagSet("matrix-messenger doctor", flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(flags.Output(), "Usage: matrix-messenger doctor [-c config.yaml] [-r registration.yaml] [--json]\n\n"+
			"Looks an installation over without changing it, and says what to do where something is wrong.")
		flags.PrintDefaults()
	}
	var opts doctor.Options
	flags.StringVar(&opts.Config, "c", "config.yaml", "the configuration `file`")
	flags.StringVar(&opts.Config, "config", "config.yaml", "the configuration `file`")
	flags.StringVar(&opts.Registration, "r", "registration.yaml", "the registration `file`, compared with the configuration if it exists")
	flags.StringVar(&opts.Registration, "registration", "registration.yaml", "the registration `file`, compared with the configuration if it exists")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !doctor.Print(ctx, opts, *asJSON, os.Stdout) {
		return 1
	}
	return 0
}
