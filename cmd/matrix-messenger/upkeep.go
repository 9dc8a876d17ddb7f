package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"matrix-messenger/bridge/config"
	"matrix-messenger/bridge/upkeep"
)

// subcommand is one that looks after the database: its flags are set up by prepare, which returns what is done.
type subcommand struct {
	usage   string
	about   string
	wants   int // arguments behind the flags
	prepare func(flags *flag.FlagSet, configFile *string) func(ctx context.Context, args []string) error
}

var subcommands = map[string]subcommand{
	"migrate-database": {
		usage: "[-c config.yaml] --from bridge.db",
		about: "Moves a stopped bridge's SQLite database into the empty PostgreSQL database that the configuration names.",
		prepare: func(flags *flag.FlagSet, configFile *string) func(context.Context, []string) error {
			from := flags.String("from", "", "the SQLite `file` to read; it is not changed")
			return func(ctx context.Context, _ []string) error {
				if *from == "" {
					return errUsage
				}
				return upkeep.Migrate(ctx, upkeep.MigrateOptions{Config: *configFile, From: *from}, os.Stdout)
			}
		},
	},
	"backup": {
		usage: "[-c config.yaml] FILE",
		about: "Copies the SQLite database to a new file, also while the bridge runs.",
		wants: 1,
		prepare: func(_ *flag.FlagSet, configFile *string) func(context.Context, []string) error {
			return func(ctx context.Context, args []string) error {
				return upkeep.Backup(ctx, *configFile, args[0], os.Stdout)
			}
		},
	},
	"export": {
		usage: "[-c config.yaml] @user:server",
		about: "Prints everything that is stored of a Matrix user as JSON, also while the bridge runs.",
		wants: 1,
		prepare: func(_ *flag.FlagSet, configFile *string) func(context.Context, []string) error {
			return func(ctx context.Context, args []string) error {
				return upkeep.Export(ctx, *configFile, args[0], os.Stdout)
			}
		},
	},
}

var errUsage = errors.New("the arguments are not complete")

// runSubcommand returns the exit status: 1 when it failed, 2 when the arguments are wrong.
func runSubcommand(name string, command subcommand, args []string) int {
	flags := flag.NewFlagSet("matrix-messenger "+name, flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = fmt.Fprintf(flags.Output(), "Usage: matrix-messenger %s %s\n\n%s\n", name, command.usage, command.about)
		flags.PrintDefaults()
	}
	configFile := flags.String("c", "config.yaml", "the configuration `file`")
	flags.StringVar(configFile, "config", "config.yaml", "the configuration `file`")
	run := command.prepare(flags, configFile)
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() != command.wants {
		flags.Usage()
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, flags.Args())
	if errors.Is(err, errUsage) {
		flags.Usage()
		return 2
	} else if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, config.Sentence(err))
		return 1
	}
	return 0
}
