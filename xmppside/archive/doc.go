// Package archive asks the service for the messages it has kept: XEP-0136 (retrieve and list) with the little of
// XEP-0059 that is of use, messenger-protocol.md 10 and 13.8.
//
// The Messenger service gives the latest ten messages of a contact for any start, ignores paging, and answers "nothing"
// in four forms. Other servers keep each conversation as a collection of its own, found by its exact start, give the
// first page where no page is asked for, and link collections by <next/> and <previous/>. Retrieve copes with both:
// it asks as the Messenger service wants it, and only when there is no message in the answer, as where start counts, or
// the answer shows that there is more, asks further, a bounded number of times.
//
// Archived messages have no ids. Telling which of them are known already is the work of bridge/history/align.
//
// Not here: changing what is archived (save, remove, pref, auto) and replication (modified).
package archive
