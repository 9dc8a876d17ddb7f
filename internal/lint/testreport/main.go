// Command testreport reads the output of "go test -json" and writes what a person wants of it: one line
// for each package as go test ends it, everything that a failed test printed, and at the end how many
// tests ran and which were skipped because the program that they talk to is not installed.
//
// Such a test says so with t.Skip("peer: <what> is not installed"). When the environment has
// REQUIRE_PEERS=1, as on the machine that decides about a change, each of them counts as failed.
// The exit status is 1 when anything failed.
package main

import (
	"fmt"
	"os"
)

func main() {
	failed, err := report(os.Stdin, os.Stdout, os.Getenv("REQUIRE_PEERS") == "1")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}
