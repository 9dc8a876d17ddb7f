// Package homeserver is a scripted Matrix homeserver for tests, benchmarks and demonstrations.
//
// It answers at once and from memory, yet keeps the rules a bridge depends on: membership decides who may send, invite and
// join; state events carry prev_content; transaction IDs are remembered per path and token (not per user, as in Synapse);
// appservices masquerade with user_id inside their namespaces; and events are pushed to the appservice one transaction at a
// time, in order, with the same ID, until it answers 200.
//
// People are played through the Go API (Server.User); the bridge talks to it over HTTP. Every request is recorded and
// can be waited for; faults (Fail, FailAfter, Delay, Block, Down) are switched on and off while it runs. All waiting is event driven.
//
// Implemented: the parts of the Matrix client-server API v1.11 that an appservice bridge uses, the application service API
// v1.7 (transactions, ping), media upload and download, device keys as a plain store. Not implemented: power levels,
// event signatures, federation, /sync, search, push rules, and any unstable extension (answered 404 M_UNRECOGNIZED).
//
// State: the Server owns everything and guards it with one mutex; values handed out are copies or immutable.
package homeserver
