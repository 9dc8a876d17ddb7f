// Package matrix is the Matrix user of the end-to-end tests and the demo: a small client that signs in
// with a password, follows /sync, joins what it is invited to and remembers what it saw, so that a test
// can wait for an event instead of for a time.
//
// It keeps everything that it has seen (tests are short) and has one goroutine, ended by Close.
package matrix
