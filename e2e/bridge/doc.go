// Package bridge builds the bridge program and runs it as its admins do: write the example
// configuration (-e), edit it, write the registration (-g), start.
//
// A [Bridge] owns a folder (configuration, registration, SQLite file, log) and one process, which can
// be stopped, killed and started again on the same data. It imports nothing of the bridge: what is
// tested is the program.
package bridge
