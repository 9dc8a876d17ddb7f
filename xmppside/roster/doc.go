// Package roster is the contact list: RFC 6121 2, messenger-protocol.md 6.1, 6.2, 13.4. It reads the list and its pushes,
// says what an item means to a person (contact, invited, stranger), and adds a contact.
//
// Adding is the only change that the Messenger service allows (6.2), so removing, renaming and grouping are not here,
// nor is roster versioning, which the service does not have.
//
// Nothing is kept: the list of an account belongs to whoever handles its events. Whether the sender of a push is allowed
// (5.2) is for the session to check before it comes here.
package roster
