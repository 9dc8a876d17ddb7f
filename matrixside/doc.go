// Package matrixside is the homeserver's edge of the bridge, in packages of its own:
//
//   - inbox: events are stored before the homeserver is told that we have them, and handled in the order of their rooms;
//   - stablesend: what we send to the homeserver can be repeated without appearing twice, and found again;
//   - convert: texts of Matrix to plain text and back.
//
// None of them knows anything of XMPP.
package matrixside
