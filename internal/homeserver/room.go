package homeserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

type stateKey struct{ typ, key string }

// room is one room's state and timeline; the Server's mutex guards it.
type room struct {
	id       id.RoomID
	creator  id.UserID
	state    map[stateKey]*Event
	timeline []*Event
	byID     map[id.EventID]int
	typing   map[id.UserID]bool
	receipts map[id.UserID]id.EventID
	rewrites int // how many events a redaction has replaced
}

func (r *room) membership(user id.UserID) event.Membership {
	if ev := r.state[stateKey{"m.room.member", user.String()}]; ev != nil {
		return ev.membership
	}
	return ""
}

func (r *room) members(memberships ...event.Membership) []id.UserID {
	var users []id.UserID
	for key, ev := range r.state {
		if key.typ == "m.room.member" && slices.Contains(memberships, ev.membership) {
			users = append(users, id.UserID(key.key))
		}
	}
	slices.Sort(users)
	return users
}

func (r *room) stateField(typ, field string) string {
	if ev := r.state[stateKey{typ, ""}]; ev != nil {
		return ev.Get(field)
	}
	return ""
}

// canonical brings JSON objects to one form, so that equal contents are equal bytes.
func canonical(content json.RawMessage) (json.RawMessage, error) {
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// draft is an event on its way into a room.
type draft struct {
	typ      string
	sender   id.UserID
	stateKey *string
	content  json.RawMessage
	redacts  id.EventID
	ts       int64 // 0: now
	txnID    string
}

// post checks the membership rules and appends the event. The caller holds the mutex.
func (s *Server) post(r *room, d draft) (*Event, *apiError) {
	content, err := canonical(d.content)
	if err != nil {
		return nil, failure(http.StatusBadRequest, "M_BAD_JSON", "content is not a JSON object")
	}
	d.content = content
	if d.typ == "m.room.member" && d.stateKey != nil {
		if apiErr := s.checkMember(r, &d); apiErr != nil {
			return nil, apiErr
		}
	} else if r.membership(d.sender) != event.MembershipJoin {
		return nil, failure(http.StatusForbidden, "M_FORBIDDEN", fmt.Sprintf("User %s not in room %s", d.sender, r.id))
	}
	if d.stateKey != nil {
		if prev := r.state[stateKey{d.typ, *d.stateKey}]; prev != nil && prev.Sender == d.sender && bytes.Equal(prev.Content, d.content) {
			return prev, nil // Synapse answers a repeated state event with the one it has
		}
	}
	return s.append(r, d), nil
}

// checkMember applies the authorization rules for m.room.member, without power levels.
func (s *Server) checkMember(r *room, d *draft) *apiError {
	var want memberContent
	if err := json.Unmarshal(d.content, &want); err != nil {
		return failure(http.StatusBadRequest, "M_BAD_JSON", "bad member event")
	}
	target := id.UserID(*d.stateKey)
	now, senderNow := r.membership(target), r.membership(d.sender)
	forbidden := func(text string) *apiError { return failure(http.StatusForbidden, "M_FORBIDDEN", text) }
	switch want.Membership {
	case event.MembershipJoin:
		switch {
		case target != d.sender:
			return forbidden("Cannot force another user to join")
		case now == event.MembershipBan:
			return forbidden("You are banned from this room")
		case now == event.MembershipInvite, now == event.MembershipJoin:
		case r.stateField("m.room.join_rules", "join_rule") != "public":
			return forbidden("You are not invited to this room.")
		}
	case event.MembershipInvite:
		switch {
		case senderNow != event.MembershipJoin:
			return forbidden(fmt.Sprintf("%s not in room %s.", d.sender, r.id))
		case now == event.MembershipJoin:
			return forbidden(fmt.Sprintf("%s is already in the room.", target))
		case now == event.MembershipBan:
			return forbidden(fmt.Sprintf("%s is banned from the room", target))
		}
	case event.MembershipLeave:
		switch {
		case target == d.sender && now != event.MembershipJoin && now != event.MembershipInvite && now != event.MembershipKnock && now != event.MembershipLeave:
			return forbidden(fmt.Sprintf("User %s not in room %s", target, r.id))
		case target != d.sender && senderNow != event.MembershipJoin:
			return forbidden(fmt.Sprintf("%s not in room %s.", d.sender, r.id))
		case target != d.sender && (now == "" || now == event.MembershipLeave):
			return forbidden("The target user is not in the room")
		}
	case event.MembershipBan:
		if senderNow != event.MembershipJoin {
			return forbidden(fmt.Sprintf("%s not in room %s.", d.sender, r.id))
		}
	default:
		return failure(http.StatusBadRequest, "M_BAD_JSON", "unknown membership")
	}
	return nil
}

// append stores an event without checks and offers it to appservices and waiters. The caller holds the mutex.
func (s *Server) append(r *room, d draft) *Event {
	ev := &Event{
		ID: id.EventID(fmt.Sprintf("$%s%d", s.eventPrefix, s.nextID())), RoomID: r.id, Type: d.typ, Sender: d.sender,
		StateKey: d.stateKey, Timestamp: d.ts, Content: d.content, Redacts: d.redacts, Index: len(r.timeline), TxnID: d.txnID,
	}
	if ev.Timestamp == 0 {
		ev.Timestamp = s.opts.Clock().UnixMilli()
	}
	if d.stateKey != nil {
		key := stateKey{d.typ, *d.stateKey}
		if prev := r.state[key]; prev != nil {
			ev.Unsigned.PrevContent, ev.Unsigned.ReplacesState = prev.Content, prev.ID
		}
		if d.typ == "m.room.member" {
			ev.membership = ev.member().Membership
		}
		r.state[key] = ev
	}
	r.timeline = append(r.timeline, ev)
	r.byID[ev.ID] = ev.Index
	if d.redacts != "" {
		s.strip(r, ev)
	}
	s.offer(r, ev)
	s.notify()
	return ev
}

// strip replaces the redacted event by a copy without content.
func (s *Server) strip(r *room, redaction *Event) {
	index, ok := r.byID[redaction.Redacts]
	if !ok {
		return
	}
	stripped := *r.timeline[index]
	stripped.Content = json.RawMessage("{}")
	stripped.Unsigned.RedactedBecause = redaction
	r.timeline[index] = &stripped
	r.rewrites++
	if stripped.StateKey != nil && r.state[stateKey{stripped.Type, *stripped.StateKey}].ID == stripped.ID {
		r.state[stateKey{stripped.Type, *stripped.StateKey}] = &stripped
	}
}

// setMember changes a membership as the dedicated endpoints do: with the target's profile in the content. A membership
// that is already so is left alone. The caller holds the mutex.
func (s *Server) setMember(r *room, sender, target id.UserID, want memberContent) (*Event, *apiError) {
	if want.Membership == event.MembershipJoin || want.Membership == event.MembershipInvite {
		profile := s.profiles[target]
		want.DisplayName, want.AvatarURL = profile["displayname"], profile["avatar_url"]
	}
	key := target.String()
	if want.Membership == event.MembershipJoin && r.membership(target) == event.MembershipJoin {
		return r.state[stateKey{"m.room.member", key}], nil
	}
	content, err := json.Marshal(want)
	if err != nil {
		return nil, failure(http.StatusInternalServerError, "M_UNKNOWN", err.Error())
	}
	return s.post(r, draft{typ: "m.room.member", sender: sender, stateKey: &key, content: content})
}
