// Package e2e holds the tests in which everything is real but the Messenger service itself: a homeserver
// (Dendrite), the bridge as a program, the stand-in service over TLS, a Matrix user with a client.
//
// It is a module of its own, so that what only these tests need never enters the bridge's requirements.
// See docs/testing.md.
package e2e
