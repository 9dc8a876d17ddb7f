// Package process runs the programs that the end-to-end tests and the demo need: a homeserver, the
// bridge, the stand-in service, a compiler.
//
// It owns each program it starts: a program gets a process group of its own, is told to end when the
// starter dies (even by SIGKILL, on Linux), and is ended by its process ID alone. What it prints is
// kept in a file, and the last lines in memory, so that a failure can show them. Nothing here knows
// what the programs are.
package process
