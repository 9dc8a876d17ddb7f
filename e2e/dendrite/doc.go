// Package dendrite builds and runs a real Matrix homeserver, Dendrite, on loopback: for the end-to-end
// tests and for the demo.
//
// The version is pinned in the tools module (e2e/tools/go.mod); the programs are built once and kept
// below .cache. A [Server] owns a folder with its configuration, keys, SQLite files and log, and one
// process. It never federates and never calls anything but loopback addresses.
//
// What Dendrite does not do for an appservice (so nothing here can be tested with it): it pushes no
// redactions, typing, receipts, presence or to-device events, and has no appservice ping and no batch
// send. It announces Matrix v1.2, so a bridge needs --ignore-unsupported-server.
package dendrite
