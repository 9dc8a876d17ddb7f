package main

import "fmt"

const (
	serviceDomain = "messenger.example"
	matrixDomain  = "example.org"
)

// crowd is who takes part: accounts with a login in the bridge, and the people on their lists. Addresses look like the service's, a number in hex.
type crowd struct {
	Sessions int // accounts
	Contacts int // on the list of each
	Pool     int // people the lists are made of; each is on the lists of several
}

func newCrowd(sessions, contacts int) crowd {
	// A list may hold 2,000 people at messengerd, so nobody is on the lists of more than some hundred accounts.
	return crowd{Sessions: sessions, Contacts: contacts, Pool: max(contacts, sessions*contacts/250)}
}

// userJID is the i-th account's address, contactJID that of the i-th person.
func userJID(i int) string    { return fmt.Sprintf("a%015x@%s", i+1, serviceDomain) }
func contactJID(i int) string { return fmt.Sprintf("c%015x@%s", i+1, serviceDomain) }

// contact is the k-th person on the list of an account.
func (c crowd) contact(user, k int) int { return (user*c.Contacts + k) % c.Pool }

func userName(i int) string    { return fmt.Sprintf("User %d", i) }
func contactName(i int) string { return fmt.Sprintf("Contact number %d", i) }

func userToken(i int) string     { return fmt.Sprintf("EwAoAwAAbenchTOKEN%08d+/AAAA==", i) }
func userLocalpart(i int) string { return fmt.Sprintf("user%05d", i) }
func userMXID(i int) string      { return "@" + userLocalpart(i) + ":" + matrixDomain }

// chat is one conversation: an account and a person on its list.
type chat struct{ User, Contact int }

// chats are n conversations, spread over the accounts.
func (c crowd) chats(n int) []chat {
	all := make([]chat, 0, n)
	for k := 0; len(all) < n && k < c.Contacts; k++ {
		for user := 0; len(all) < n && user < c.Sessions; user++ {
			all = append(all, chat{user, c.contact(user, k)})
		}
	}
	return all
}
