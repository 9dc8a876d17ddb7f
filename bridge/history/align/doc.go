// Package align finds out what the end of a chat's archive says about what the bridge knows of that chat: which archived
// messages it never saw and where they belong, which of its own unconfirmed ones arrived, and whether something may lie
// between what it knows and where the tail begins (messenger-protocol.md 10; design, section 4; XEP-0136 has no message
// ids). It is one pure function, Align; it keeps nothing, asks nobody and imports nothing of Matrix or XMPP.
//
// # The model
//
// Two messages can be the same one only if they have the same direction and the same text, normalised and hashed
// (Database.TextHash over Normalize), so each pair of direction and hash, a class, is matched by itself. In which order
// the messages stand does not count: those of the two sides can cross on the way, a stored one comes late, and so does one
// written to a dying connection. Their times count: inside a class the assignment with the least cost is taken:
//
//   - an archived message that matches nothing (it was missed) costs 1;
//   - a logged message that is certain, and that the tail should show but does not, costs 3; an unconfirmed one, or one
//     older than the tail, costs nothing;
//   - a pair costs by how far its times are apart: up to 0.2 for 5 s, 1 for 10 s, 3.9 for 120 s, and beyond it cannot be;
//     an unconfirmed message may be seen up to 120 s after it was written for 0.9, as a dying connection delivers late.
//
// So a logged message that must be in the tail takes the nearest candidate within two minutes, while one from before the
// tail takes none that is more than ten seconds away.
//
// Times of the log are those of our clock, those of the archive of the service's, in whole seconds. The offset between
// them is estimated first: the one given, and each that two messages of one class suggest, are tried out, and the one
// under which everything together costs least is taken. An offset other than the one given costs too: 1.5 and a little
// more the farther it is when the given one is only a guess, 4 when it is a measured one (OffsetKnown); less below ten
// seconds and nothing below five for a guess, five and two for a measured one. Without OffsetKnown
// it takes two messages to believe a new offset, or one that must be in the tail. The estimate comes back in the Result; a
// caller does well to keep it for the next time.
//
// # What is certain
//
// Nothing is lost and nothing comes twice as long as the archive is complete, log and archive agree on the time within
// five seconds after the offset, the offset is known within two seconds or shown by at least two messages of which no
// other shift explains as many, no text of one direction occurs within fifteen seconds on both sides of the tail's
// beginning, and the text of an unconfirmed message does not come from another client too, less than a minute before or two
// minutes after it, nor from the bridge on another stream.
//
// # What nobody can tell, and what is done
//
//   - A message that the service delivered twice, or that was written again after all and arrived both times, stands
//     twice in one of the two lists: callers take out repeated stanzas by their ids; a second copy in the archive is shown
//     as a message from another client.
//   - A missed message with the text of one that was logged twice by mistake, within two minutes: taken for it, lost.
//   - The same text again and again in equal intervals, with an unknown offset: any shift by an interval explains
//     it. The offset nearest to the given one is taken; the number of messages is right whenever log and tail end together.
//   - A single known message in a full tail with an unknown offset beyond ten seconds: it is taken for a new one, shown
//     twice, and Gap is set. (The other choice would lose a repeated "ok".)
//   - An unconfirmed message that did not arrive, and the same text written in another client within the two minutes after
//     it: taken for it.
//   - An archive that was switched on within the last ten minutes, with an unknown offset: repeated texts may be taken for
//     known ones.
//   - The same text on both sides of the tail's beginning within fifteen seconds: the nearest is taken.
//   - A message that came late without a stamp, whose text occurs again within the time it was late: taken for that.
//   - A text that the service changed by more than white space, line ends, Unicode composition and invisible characters: a
//     message of which nothing is known; it is shown again, and an unconfirmed one is not found.
//   - An archive that is empty, or in which messages known for certain stop appearing: it may just be switched off. It
//     proves nothing; unconfirmed messages are Undecided.
//   - Unconfirmed messages of which the tail shows fewer than there are, with one text: the earlier ones are taken to have
//     arrived, as a stream is handled in order.
//   - What lies before the tail's beginning: Gap.
package align
