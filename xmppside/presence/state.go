package presence

import "strings"

// Show is how available somebody who is online is.
type Show string

// The values of <show/> (RFC 6121 4.7.2.1). Messenger's "busy" and "on the phone" are DND; "away", "be right back", "out
// to lunch" and "idle" are Away (messenger-protocol.md 8).
const (
	Online Show = "" // no <show/>
	Chat   Show = "chat"
	Away   Show = "away"
	DND    Show = "dnd"
	XA     Show = "xa"
)

// ParseShow reads the text of <show/>; what is unknown counts as online.
func ParseShow(s string) Show {
	switch show := Show(strings.ToLower(strings.TrimSpace(s))); show {
	case Chat, Away, DND, XA:
		return show
	default:
		return Online
	}
}

// rank orders the values by how likely an answer is: somebody busy sits at the keyboard, somebody away does not.
func (s Show) rank() int {
	switch s {
	case Chat:
		return 5
	case DND:
		return 3
	case Away:
		return 2
	case XA:
		return 1
	default:
		return 4
	}
}

// State is what one resource, or a contact as a whole, shows. The zero value is offline. States are compared with ==.
type State struct {
	// Available is false for offline; Show is Online then, while Status may hold what was said on leaving.
	Available bool
	Show      Show
	// Status is the personal message on one line, empty for none.
	Status string
}

// rank orders states from offline up.
func (s State) rank() int {
	if !s.Available {
		return 0
	}
	return s.Show.rank()
}
