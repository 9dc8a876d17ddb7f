package messengerd

import "strings"

// bareOf is the bare JID in lower case: the key that compares as the service does.
func bareOf(address string) string {
	bare, _, _ := strings.Cut(address, "/")
	return strings.ToLower(bare)
}

func lower(s string) string { return strings.ToLower(s) }

// byMailOnly finds an account by e-mail address.
func (s *Server) byMailOnly(address string) *Account {
	s.people.RLock()
	defer s.people.RUnlock()
	return s.byMail[strings.ToLower(address)]
}
