// Package lint holds the rules of the source tree that no ready-made linter knows: which package may
// import which (the house's floor plan), what may stand in the root module's requirements, how long a
// file may be, and that nothing is exported for tests alone. Its tests apply them to the tree; the
// rules themselves are plain functions with tests that show them failing.
//
// The command in testreport turns the output of "go test -json" into what a person reads.
package lint
