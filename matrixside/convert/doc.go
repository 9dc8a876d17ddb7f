// Package convert turns Matrix messages into readable plain text and plain text into Matrix messages.
//
// The Messenger service knows plain text only (messenger-protocol.md, section 11). Matrix's HTML subset
// (org.matrix.custom.html, client-server API 11.2.1.1) is written as a person would type it:
//
//	paragraphs, headings      blocks with an empty line between them
//	lists                     "- " and "1. " (start and value kept), nested ones indented
//	blockquote                "> " before each line
//	pre, code                 the very text, unchanged
//	links                     text (target), or only the target when they are the same
//	mentions                  the person's display name
//	tables                    one row a line, cells separated by " | "
//	spoilers                  [spoiler: text], [spoiler (reason): text]
//	del, s, strike            ~text~, as losing it would turn the meaning round
//	sup, sub                  x^2, x_(i+1)
//	hr                        ---
//	img                       its alternative text, else its title, else [picture]
//	mathematics               the LaTeX source
//	strong, em, u, font, span and every unknown element: their text
//
// Reply fallbacks (mx-reply) and what is never shown (script, style, title, template) are left out. Depth and size are bounded;
// whatever cannot be parsed falls back to the message's body. Conversion never fails and never panics.
//
// The other way a body is kept as it is ("/me " becomes m.emote), so that a Messenger user's text comes back unchanged.
// Emoticons (emoticons.go) are one reversible table, applied to whole words only.
//
// The package keeps no state and does no I/O. It does not split long messages (that is the XMPP side's) and decides nothing about
// what is bridged at all; quotes, corrections, notes, files and polls are offered as helpers.
package convert
