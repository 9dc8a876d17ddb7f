// Package chaos proves the promise of the design (section 4: nothing lost, nothing twice) by trying to break it: numbered messages go both ways through the
// real bridge, in several chats at once, while a seeded schedule of faults runs, and afterwards everything is counted.
//
// There are two kinds of rounds. In a Tight round nobody has more messages on the way than the service's archive can show (ten), and nothing may be lost,
// repeated or out of order, nothing may be left to the setting `uncertain`, and no notice may be needed. In a Wide round more is said while the bridge is away than
// the archive shows; then messages may be lost, but each loss has to be told in its room, and nothing may come twice beyond what the bridge has counted as sent
// again in doubt.
//
// The parts: a World is the scenario with more contacts and a Line between bridge and service; the Line is a TCP proxy that can lose or break a connection at any TLS record, and so at
// any step of the protocol; a fault is a kind of trouble with its own end; a Tally counts what arrived. The seed decides on which faults come, how they look and after how many messages;
// what the machine's scheduler makes of it stays its own, so a seed brings the same trouble again, not the same microseconds.
//
// Not provoked here: power cuts (what a kill leaves in the page cache is there after it), and a service that forgets what it took.
package chaos
