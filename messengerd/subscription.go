package messengerd

// subState is the state of a subscription between a user and a contact, as the
// user's side has it (RFC 6121, appendix A; protocol, section 6.4).
type subState string

const (
	stateN   subState = "N"    // None
	stateNO  subState = "N+O"  // None, our request is pending
	stateNI  subState = "N+I"  // None, their request is pending
	stateNOI subState = "N+OI" // None, both are pending
	stateT   subState = "T"    // To: the user sees the contact
	stateTI  subState = "T+I"
	stateF   subState = "F" // From: the contact sees the user
	stateFO  subState = "F+O"
	stateB   subState = "B" // Both
)

// subscription and ask are the attributes of the roster item.
func (s subState) subscription() string {
	switch s {
	case stateT, stateTI:
		return "to"
	case stateF, stateFO:
		return "from"
	case stateB:
		return "both"
	default:
		return "none"
	}
}

func (s subState) ask() string {
	switch s {
	case stateNO, stateNOI, stateFO:
		return "subscribe"
	default:
		return ""
	}
}

// sees: the user gets the contact's presence.
func (s subState) sees() bool { return s == stateT || s == stateTI || s == stateB }

// shows: the contact gets the user's presence.
func (s subState) shows() bool { return s == stateF || s == stateFO || s == stateB }

// invited: the contact's request waits for the user's answer.
func (s subState) invited() bool { return s == stateNI || s == stateNOI || s == stateTI }

// outRule is one cell of the outbound table.
type outRule struct {
	route   bool
	next    subState // "" for no change
	refused bool     // †: a change that the gateway did not support
}

// inRule is one cell of the inbound table.
type inRule struct {
	deliver bool
	next    subState // "" for no change
	reply   bool     // answer with subscribed
}

func route(next subState) outRule   { return outRule{route: true, next: next} }
func refused(next subState) outRule { return outRule{route: true, next: next, refused: true} }
func deliver(next subState) inRule  { return inRule{deliver: true, next: next} }

var (
	routeOnly = outRule{route: true}
	dropOut   = outRule{}
	dropIn    = inRule{}
	autoReply = inRule{reply: true}
)

// outbound is the table for stanzas from the user's clients.
var outbound = map[subState]map[string]outRule{
	stateN:   {"subscribe": route(stateNO), "unsubscribe": routeOnly, "subscribed": dropOut, "unsubscribed": dropOut},
	stateNO:  {"subscribe": routeOnly, "unsubscribe": refused(stateN), "subscribed": dropOut, "unsubscribed": dropOut},
	stateNI:  {"subscribe": route(stateNOI), "unsubscribe": routeOnly, "subscribed": route(stateF), "unsubscribed": route(stateN)},
	stateNOI: {"subscribe": routeOnly, "unsubscribe": refused(stateNI), "subscribed": route(stateFO), "unsubscribed": route(stateNO)},
	stateT:   {"subscribe": routeOnly, "unsubscribe": refused(stateN), "subscribed": dropOut, "unsubscribed": dropOut},
	stateTI:  {"subscribe": routeOnly, "unsubscribe": refused(stateNI), "subscribed": route(stateB), "unsubscribed": route(stateT)},
	stateF:   {"subscribe": route(stateFO), "unsubscribe": routeOnly, "subscribed": dropOut, "unsubscribed": refused(stateN)},
	stateFO:  {"subscribe": routeOnly, "unsubscribe": refused(stateF), "subscribed": dropOut, "unsubscribed": refused(stateNO)},
	stateB:   {"subscribe": routeOnly, "unsubscribe": refused(stateF), "subscribed": dropOut, "unsubscribed": refused(stateT)},
}

// inbound is the table for stanzas from the other side.
var inbound = map[subState]map[string]inRule{
	stateN:   {"subscribe": deliver(stateNI), "unsubscribe": dropIn, "subscribed": dropIn, "unsubscribed": dropIn},
	stateNO:  {"subscribe": deliver(stateNOI), "unsubscribe": dropIn, "subscribed": deliver(stateT), "unsubscribed": deliver(stateN)},
	stateNI:  {"subscribe": dropIn, "unsubscribe": deliver(stateN), "subscribed": dropIn, "unsubscribed": dropIn},
	stateNOI: {"subscribe": dropIn, "unsubscribe": deliver(stateNO), "subscribed": deliver(stateTI), "unsubscribed": deliver(stateNI)},
	stateT:   {"subscribe": deliver(stateTI), "unsubscribe": dropIn, "subscribed": dropIn, "unsubscribed": deliver(stateN)},
	stateTI:  {"subscribe": dropIn, "unsubscribe": deliver(stateT), "subscribed": dropIn, "unsubscribed": deliver(stateNI)},
	stateF:   {"subscribe": autoReply, "unsubscribe": deliver(stateN), "subscribed": dropIn, "unsubscribed": dropIn},
	stateFO:  {"subscribe": autoReply, "unsubscribe": deliver(stateNO), "subscribed": deliver(stateB), "unsubscribed": deliver(stateF)},
	stateB:   {"subscribe": autoReply, "unsubscribe": deliver(stateT), "subscribed": dropIn, "unsubscribed": deliver(stateF)},
}
