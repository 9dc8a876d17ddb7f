// Package world puts the real programs of a conversation together: a homeserver (Dendrite), the bridge
// as a process, the stand-in Messenger service over real TLS, and a Matrix user.
//
// The service runs inside the test's process, so that a test can act as a contact and provoke faults; it
// listens on a fixed port and keeps its state in a file, so that it can be stopped and started like the
// other two. Everything lives in one folder and ends with Close.
package world
