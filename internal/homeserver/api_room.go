package homeserver

import (
	"encoding/json"
	"net/http"
	"strings"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// roomEndpoints change rooms.
var roomEndpoints = []endpoint{
	{"POST", "/client/v3/createRoom", "createRoom", false, postCreateRoom},
	{"PUT", "/client/v3/rooms/{room}/send/{type}/{txn}", "send", false, putSend},
	{"PUT", "/client/v3/rooms/{room}/redact/{event}/{txn}", "redact", false, putRedact},
	{"PUT", "/client/v3/rooms/{room}/state/{type}", "state", false, putState},
	{"PUT", "/client/v3/rooms/{room}/state/{type}/{key...}", "state", false, putState},
	{"POST", "/client/v3/rooms/{room}/invite", "invite", false, membershipChange(event.MembershipInvite, false)},
	{"POST", "/client/v3/rooms/{room}/kick", "kick", false, membershipChange(event.MembershipLeave, false)},
	{"POST", "/client/v3/rooms/{room}/ban", "ban", false, membershipChange(event.MembershipBan, false)},
	{"POST", "/client/v3/rooms/{room}/unban", "unban", false, membershipChange(event.MembershipLeave, false)},
	{"POST", "/client/v3/rooms/{room}/leave", "leave", false, membershipChange(event.MembershipLeave, true)},
	{"POST", "/client/v3/rooms/{room}/join", "join", false, membershipChange(event.MembershipJoin, true)},
	{"POST", "/client/v3/join/{room}", "join", false, membershipChange(event.MembershipJoin, true)},
	{"POST", "/client/v3/rooms/{room}/forget", "forget", false, func(*Server, *request) (any, *apiError) { return empty{}, nil }},
	{"PUT", "/client/v3/rooms/{room}/typing/{user}", "typing", false, putTyping},
	{"POST", "/client/v3/rooms/{room}/receipt/{type}/{event}", "receipt", false, postReceipt},
	{"POST", "/client/v3/rooms/{room}/read_markers", "read_markers", false, postReadMarkers},
}

// txnKey is what a transaction ID is remembered by: the path with the ID, and the token. As in Synapse the masqueraded
// user is not part of it.
type txnKey struct{ path, token string }

type txnResult struct{ eventID id.EventID }

func (s *Server) find(r *request) (*room, *apiError) {
	roomID := r.room()
	if strings.HasPrefix(string(roomID), "#") {
		roomID = s.aliases[id.RoomAlias(roomID)]
	}
	if found := s.rooms[roomID]; found != nil {
		return found, nil
	}
	return nil, failure(http.StatusForbidden, "M_FORBIDDEN", "Unknown room, or you are not in it")
}

func postCreateRoom(s *Server, r *request) (any, *apiError) {
	var body createRequest
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	created, err := s.createRoom(r.user, body)
	if err != nil {
		return nil, err
	}
	r.rec.RoomID = created.id
	return map[string]id.RoomID{"room_id": created.id}, nil
}

// once runs post unless the request's transaction ID was seen before and counts.
func (s *Server) once(r *request, post func() (*Event, *apiError)) (any, *apiError) {
	key := txnKey{r.URL.Path, r.tok}
	if seen, ok := s.txns[key]; ok && !r.unremembered {
		return map[string]id.EventID{"event_id": seen.eventID}, nil
	}
	ev, err := post()
	if err != nil {
		return nil, err
	}
	if !r.unremembered {
		s.txns[key] = txnResult{ev.ID}
	}
	return map[string]id.EventID{"event_id": ev.ID}, nil
}

func putSend(s *Server, r *request) (any, *apiError) {
	in, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return s.once(r, func() (*Event, *apiError) {
		return s.post(in, draft{typ: r.PathValue("type"), sender: r.user, content: r.content(), ts: r.timestamp(), txnID: r.PathValue("txn")})
	})
}

func putRedact(s *Server, r *request) (any, *apiError) {
	in, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return s.once(r, func() (*Event, *apiError) {
		return s.post(in, draft{
			typ: "m.room.redaction", sender: r.user, content: r.content(), ts: r.timestamp(),
			redacts: r.eventID(), txnID: r.PathValue("txn"),
		})
	})
}

func putState(s *Server, r *request) (any, *apiError) {
	in, err := s.find(r)
	if err != nil {
		return nil, err
	}
	key := r.PathValue("key")
	ev, err := s.post(in, draft{typ: r.PathValue("type"), sender: r.user, stateKey: &key, content: r.content(), ts: r.timestamp()})
	if err != nil {
		return nil, err
	}
	return map[string]id.EventID{"event_id": ev.ID}, nil
}

// membershipChange serves invite, join, leave, kick, ban and unban; self is for those about the sender.
func membershipChange(want event.Membership, self bool) handler {
	return func(s *Server, r *request) (any, *apiError) {
		in, err := s.find(r)
		if err != nil {
			return nil, err
		}
		var body struct {
			UserID id.UserID `json:"user_id"`
			Reason string    `json:"reason"`
		}
		if err = r.decode(&body); err != nil {
			return nil, err
		}
		if self {
			body.UserID = r.user
		}
		if _, err = s.setMember(in, r.user, body.UserID, memberContent{Membership: want, Reason: body.Reason}); err != nil {
			return nil, err
		}
		if want == event.MembershipJoin {
			return map[string]id.RoomID{"room_id": in.id}, nil
		}
		return empty{}, nil
	}
}

func putTyping(s *Server, r *request) (any, *apiError) {
	in, err := s.find(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Typing bool `json:"typing"`
	}
	if err = r.decode(&body); err != nil {
		return nil, err
	}
	if in.membership(r.user) != event.MembershipJoin {
		return nil, failure(http.StatusForbidden, "M_FORBIDDEN", "You are not in the room")
	}
	s.setTyping(in, r.user, body.Typing)
	return empty{}, nil
}

// setTyping changes who is typing and tells the appservices. The caller holds the mutex.
func (s *Server) setTyping(r *room, user id.UserID, typing bool) {
	if r.typing[user] == typing {
		return
	}
	if typing {
		r.typing[user] = true
	} else {
		delete(r.typing, user)
	}
	users := []id.UserID{}
	for typist := range r.typing {
		users = append(users, typist)
	}
	s.ephemeral(r, map[string]any{"type": "m.typing", "room_id": r.id, "content": map[string]any{"user_ids": users}})
}

func postReceipt(s *Server, r *request) (any, *apiError) {
	in, err := s.find(r)
	if err != nil {
		return nil, err
	}
	s.setReceipt(in, r.user, r.eventID(), r.PathValue("type"))
	return empty{}, nil
}

func postReadMarkers(s *Server, r *request) (any, *apiError) {
	in, err := s.find(r)
	if err != nil {
		return nil, err
	}
	var body map[string]json.RawMessage
	if err = r.decode(&body); err != nil {
		return nil, err
	}
	for _, kind := range []string{"m.read", "m.read.private"} {
		var eventID id.EventID
		if json.Unmarshal(body[kind], &eventID) == nil && eventID != "" {
			s.setReceipt(in, r.user, eventID, kind)
		}
	}
	return empty{}, nil
}

// setReceipt moves a read receipt. The caller holds the mutex.
func (s *Server) setReceipt(r *room, user id.UserID, eventID id.EventID, kind string) {
	r.receipts[user] = eventID
	if kind == "m.read.private" {
		s.notify()
		return
	}
	s.ephemeral(r, map[string]any{"type": "m.receipt", "room_id": r.id, "content": map[id.EventID]any{
		eventID: map[string]any{kind: map[id.UserID]any{user: map[string]int64{"ts": s.opts.Clock().UnixMilli()}}},
	}})
}
