package homeserver

import (
	"net/http"
	"strconv"
	"strings"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// readEndpoints read rooms. All but joined_rooms need the reader to be, or to have been, in the room.
var readEndpoints = []endpoint{
	{"GET", "/client/v3/joined_rooms", "joined_rooms", false, getJoinedRooms},
	{"GET", "/client/v3/rooms/{room}/state", "state/read", false, getState},
	{"GET", "/client/v3/rooms/{room}/state/{type}", "state/read", false, getStateEvent},
	{"GET", "/client/v3/rooms/{room}/state/{type}/{key...}", "state/read", false, getStateEvent},
	{"GET", "/client/v3/rooms/{room}/members", "members", false, getMembers},
	{"GET", "/client/v3/rooms/{room}/joined_members", "joined_members", false, getJoinedMembers},
	{"GET", "/client/v3/rooms/{room}/messages", "messages", false, getMessages},
	{"GET", "/client/v3/rooms/{room}/context/{event}", "context", false, getContext},
	{"GET", "/client/v3/rooms/{room}/event/{event}", "event", false, getEvent},
	{"GET", "/client/v3/rooms/{room}/aliases", "aliases", false, getAliases},
}

// readable finds the room if the user may read it.
func (s *Server) readable(r *request) (*room, *apiError) {
	in, err := s.find(r)
	if err != nil {
		return nil, err
	}
	if in.membership(r.user) == "" {
		return nil, failure(http.StatusForbidden, "M_FORBIDDEN", "User "+r.user.String()+" not in room "+in.id.String())
	}
	return in, nil
}

func getJoinedRooms(s *Server, r *request) (any, *apiError) {
	joined := []id.RoomID{}
	for _, roomID := range s.roomOrder {
		if s.rooms[roomID].membership(r.user) == event.MembershipJoin {
			joined = append(joined, roomID)
		}
	}
	return map[string]any{"joined_rooms": joined}, nil
}

func getState(s *Server, r *request) (any, *apiError) {
	in, err := s.readable(r)
	if err != nil {
		return nil, err
	}
	events := []*Event{}
	for _, ev := range in.state {
		events = append(events, ev)
	}
	return events, nil
}

func getStateEvent(s *Server, r *request) (any, *apiError) {
	in, err := s.readable(r)
	if err != nil {
		return nil, err
	}
	ev := in.state[stateKey{r.PathValue("type"), r.PathValue("key")}]
	if ev == nil {
		return nil, notFound("Event not found.")
	}
	if r.URL.Query().Get("format") == "event" {
		return ev, nil
	}
	return ev.Content, nil
}

func getMembers(s *Server, r *request) (any, *apiError) {
	in, err := s.readable(r)
	if err != nil {
		return nil, err
	}
	only, not := r.URL.Query().Get("membership"), r.URL.Query().Get("not_membership")
	chunk := []*Event{}
	for key, ev := range in.state {
		membership := string(ev.membership)
		if key.typ == "m.room.member" && (only == "" || membership == only) && (not == "" || membership != not) {
			chunk = append(chunk, ev)
		}
	}
	return map[string]any{"chunk": chunk}, nil
}

func getJoinedMembers(s *Server, r *request) (any, *apiError) {
	in, err := s.readable(r)
	if err != nil {
		return nil, err
	}
	joined := make(map[id.UserID]any)
	for _, user := range in.members(event.MembershipJoin) {
		content := in.state[stateKey{"m.room.member", user.String()}].member()
		joined[user] = map[string]string{"display_name": content.DisplayName, "avatar_url": content.AvatarURL}
	}
	return map[string]any{"joined": joined}, nil
}

// getMessages pages through the timeline. A token "t5" stands between the events 4 and 5.
func getMessages(s *Server, r *request) (any, *apiError) {
	in, err := s.readable(r)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	limit, convErr := strconv.Atoi(query.Get("limit"))
	if convErr != nil || limit <= 0 {
		limit = 10
	}
	backwards := query.Get("dir") != "f"
	position := 0
	if backwards {
		position = len(in.timeline)
	}
	if from := query.Get("from"); from != "" {
		parsed, tokenErr := strconv.Atoi(strings.TrimPrefix(from, "t"))
		if tokenErr != nil || parsed < 0 || parsed > len(in.timeline) {
			return nil, failure(http.StatusBadRequest, "M_INVALID_PARAM", "bad from token")
		}
		position = parsed
	}
	start, chunk := position, []*Event{}
	for len(chunk) < limit {
		if backwards && position == 0 || !backwards && position == len(in.timeline) {
			break
		}
		if backwards {
			position--
			chunk = append(chunk, in.timeline[position])
		} else {
			chunk = append(chunk, in.timeline[position])
			position++
		}
	}
	answer := map[string]any{"start": "t" + strconv.Itoa(start), "chunk": chunk, "state": []*Event{}}
	if backwards && position > 0 || !backwards && position < len(in.timeline) {
		answer["end"] = "t" + strconv.Itoa(position)
	}
	return answer, nil
}

func (s *Server) locate(r *request) (*room, int, *apiError) {
	in, err := s.readable(r)
	if err != nil {
		return nil, 0, err
	}
	index, ok := in.byID[r.eventID()]
	if !ok {
		return nil, 0, notFound("Event not found.")
	}
	return in, index, nil
}

func getContext(s *Server, r *request) (any, *apiError) {
	in, index, err := s.locate(r)
	if err != nil {
		return nil, err
	}
	limit, convErr := strconv.Atoi(r.URL.Query().Get("limit"))
	if convErr != nil || limit < 0 {
		limit = 10
	}
	before, after := []*Event{}, []*Event{}
	for i := index - 1; i >= 0 && len(before) < limit/2; i-- {
		before = append(before, in.timeline[i])
	}
	for i := index + 1; i < len(in.timeline) && len(after) < limit/2; i++ {
		after = append(after, in.timeline[i])
	}
	return map[string]any{
		"event": in.timeline[index], "events_before": before, "events_after": after, "state": []*Event{},
		"start": "t" + strconv.Itoa(index-len(before)), "end": "t" + strconv.Itoa(index+1+len(after)),
	}, nil
}

func getEvent(s *Server, r *request) (any, *apiError) {
	in, index, err := s.locate(r)
	if err != nil {
		return nil, err
	}
	return in.timeline[index], nil
}

func getAliases(s *Server, r *request) (any, *apiError) {
	in, err := s.readable(r)
	if err != nil {
		return nil, err
	}
	aliases := []id.RoomAlias{}
	for alias, roomID := range s.aliases {
		if roomID == in.id {
			aliases = append(aliases, alias)
		}
	}
	return map[string]any{"aliases": aliases}, nil
}
