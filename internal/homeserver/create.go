package homeserver

import (
	"encoding/json"
	"fmt"
	"net/http"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// initialEvent is one entry of createRoom's initial_state.
type initialEvent struct {
	Type     string          `json:"type"`
	StateKey string          `json:"state_key"`
	Content  json.RawMessage `json:"content"`
}

// createRequest is the body of POST /createRoom as far as the homeserver honours it.
type createRequest struct {
	Preset          string          `json:"preset"`
	Visibility      string          `json:"visibility"`
	Name            string          `json:"name"`
	Topic           string          `json:"topic"`
	Alias           string          `json:"room_alias_name"`
	Invite          []id.UserID     `json:"invite"`
	IsDirect        bool            `json:"is_direct"`
	CreationContent map[string]any  `json:"creation_content"`
	InitialState    []initialEvent  `json:"initial_state"`
	PowerLevels     json.RawMessage `json:"power_level_content_override"`
}

// createRoom makes a room in the order the specification gives (client-server API 10.1.1). The caller holds the mutex.
func (s *Server) createRoom(creator id.UserID, req createRequest) (*room, *apiError) {
	alias := id.RoomAlias("")
	if req.Alias != "" {
		alias = id.NewRoomAlias(req.Alias, s.opts.Domain)
		if _, taken := s.aliases[alias]; taken {
			return nil, failure(http.StatusBadRequest, "M_ROOM_IN_USE", "Room alias already taken")
		}
	}
	r := &room{
		id: id.RoomID(fmt.Sprintf("!room%d:%s", s.nextID(), s.opts.Domain)), creator: creator,
		state: make(map[stateKey]*Event), byID: make(map[id.EventID]int),
		typing: make(map[id.UserID]bool), receipts: make(map[id.UserID]id.EventID),
	}
	s.rooms[r.id] = r
	s.roomOrder = append(s.roomOrder, r.id)

	creation := map[string]any{"creator": creator, "room_version": "10"}
	for key, value := range req.CreationContent {
		creation[key] = value
	}
	s.put(r, "m.room.create", "", creation)
	profile := s.profiles[creator]
	s.put(r, "m.room.member", creator.String(), memberContent{
		Membership: event.MembershipJoin, DisplayName: profile["displayname"], AvatarURL: profile["avatar_url"],
	})
	levels := map[string]any{"users": map[id.UserID]int{creator: 100}, "users_default": 0, "events_default": 0, "state_default": 50}
	if len(req.PowerLevels) > 0 {
		var override map[string]any
		if json.Unmarshal(req.PowerLevels, &override) == nil {
			for key, value := range override {
				levels[key] = value
			}
		}
	}
	s.put(r, "m.room.power_levels", "", levels)
	joinRule := "invite"
	if req.Preset == "public_chat" || req.Preset == "" && req.Visibility == "public" {
		joinRule = "public"
	}
	s.put(r, "m.room.join_rules", "", map[string]string{"join_rule": joinRule})
	s.put(r, "m.room.history_visibility", "", map[string]string{"history_visibility": "shared"})
	for _, initial := range req.InitialState {
		if len(initial.Content) == 0 {
			initial.Content = json.RawMessage("{}")
		}
		s.put(r, initial.Type, initial.StateKey, initial.Content)
	}
	if req.Name != "" {
		s.put(r, "m.room.name", "", map[string]string{"name": req.Name})
	}
	if req.Topic != "" {
		s.put(r, "m.room.topic", "", map[string]string{"topic": req.Topic})
	}
	if alias != "" {
		s.aliases[alias] = r.id
		s.put(r, "m.room.canonical_alias", "", map[string]id.RoomAlias{"alias": alias})
	}
	for _, invitee := range req.Invite {
		if _, err := s.setMember(r, creator, invitee, memberContent{Membership: event.MembershipInvite, IsDirect: req.IsDirect}); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// put stores a state event of the room's creator without checks.
func (s *Server) put(r *room, typ, key string, content any) {
	raw, err := json.Marshal(content)
	if err == nil {
		raw, err = canonical(raw)
	}
	if err != nil {
		raw = json.RawMessage("{}")
	}
	s.append(r, draft{typ: typ, sender: r.creator, stateKey: &key, content: raw})
}
