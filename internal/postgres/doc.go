// Package postgres starts Debian's PostgreSQL for tests: one server for a test program, with a database of its own for whoever asks. It runs as the user postgres when
// the tests run as root, which the server refuses to, on a free port of the loopback, without fsync, in a temporary directory.
//
// TestMain ends it with [Stop]; should the tests be killed, the kernel ends it.
package postgres
