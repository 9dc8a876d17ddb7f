// Package scenario plays conversations through the real bridge: a scripted homeserver (internal/homeserver) on one side, the
// stand-in service (messengerd) over real TLS on the other, and the bridge between them as a process of its own that can be
// stopped and killed at any moment.
//
// Steps read like the product:
//
//	s := scenario.Start(t)
//	s.LoginWithToken()
//	s.ServiceSends("mary", "hello")
//	s.RoomShows("mary", "hello")
//	s.KillBridge()
//	s.UserSends("mary", "hello Mary")
//	s.StartBridge()
//	s.ContactReceives("mary", "hello Mary")
//	s.NothingElseWasSaid()
//
// RoomShows and ContactReceives check the whole conversation so far, in its order: a message that is missing, repeated or out of
// order fails the step. Play runs the same steps once undisturbed and once more for every place between two steps, with the bridge
// killed and started again there.
//
// The bridge's process is the test program itself, started again (see Main), so that it is built with the test's race detector
// and coverage. What it logs is shown when the test fails; a data race or a panic in it fails the test.
//
// Every wait is for an event and has a deadline of StepTimeout as a safety net. The package does not import the bridge: the
// tests that use it hand it in.
package scenario
