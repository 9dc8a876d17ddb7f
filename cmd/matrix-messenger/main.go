// Command matrix-messenger is a Matrix appservice that gives every Matrix user their own signed-in session on the Messenger XMPP service.
//
// Without a subcommand it runs the bridge; `run` and `version` do the same as no subcommand and -v.
package main

import (
	"os"

	"matrix-messenger/bridge"
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
			os.Args = append(os.Args[:1], os.Args[2:]...)
		case "version":
			os.Args = append([]string{os.Args[0], "--version"}, os.Args[2:]...)
		}
	}
	bridge.Commit = Commit
	m := bridge.NewMain()
	m.InitVersion(Tag, Commit, BuildTime)
	m.Run()
}
