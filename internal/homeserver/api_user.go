package homeserver

import (
	"encoding/json"
	"net/http"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// userEndpoints are profiles, presence, account data and devices.
var userEndpoints = []endpoint{
	{"GET", "/client/v3/profile/{user}", "profile/read", true, getProfile},
	{"GET", "/client/v3/profile/{user}/{key}", "profile/read", true, getProfileField},
	{"PUT", "/client/v3/profile/{user}/{key}", "profile", false, putProfileField},
	{"GET", "/client/v3/presence/{user}/status", "presence/read", false, getPresence},
	{"PUT", "/client/v3/presence/{user}/status", "presence", false, putPresence},
	{"GET", "/client/v3/user/{user}/account_data/{type}", "account_data/read", false, getAccountData},
	{"PUT", "/client/v3/user/{user}/account_data/{type}", "account_data", false, putAccountData},
	{"GET", "/client/v3/user/{user}/rooms/{room}/account_data/{type}", "account_data/read", false, getAccountData},
	{"PUT", "/client/v3/user/{user}/rooms/{room}/account_data/{type}", "account_data", false, putAccountData},
	{"GET", "/client/v3/user/{user}/rooms/{room}/tags", "tags/read", false, getTags},
	{"PUT", "/client/v3/user/{user}/rooms/{room}/tags/{key}", "tags", false, putTag},
	{"DELETE", "/client/v3/user/{user}/rooms/{room}/tags/{key}", "tags", false, deleteTag},
	{"POST", "/client/v3/user/{user}/filter", "filter", false, func(*Server, *request) (any, *apiError) {
		return map[string]string{"filter_id": "1"}, nil
	}},
	{"PUT", "/client/v3/devices/{device}", "devices", false, func(*Server, *request) (any, *apiError) { return empty{}, nil }},
}

// Presence is a user's presence as last put.
type Presence struct {
	Presence  event.Presence `json:"presence"`
	StatusMsg string         `json:"status_msg,omitempty"`
}

type accountDataKey struct {
	user id.UserID
	room id.RoomID
	typ  string
}

func (r *request) isSelf() *apiError {
	if r.target() != r.user {
		return failure(http.StatusForbidden, "M_FORBIDDEN", "Cannot act for another user")
	}
	return nil
}

func getProfile(s *Server, r *request) (any, *apiError) {
	if !s.accounts[r.target()] {
		return nil, notFound("Profile was not found")
	}
	return s.profiles[r.target()], nil
}

func getProfileField(s *Server, r *request) (any, *apiError) {
	if !s.accounts[r.target()] {
		return nil, notFound("Profile was not found")
	}
	key := r.PathValue("key")
	value, ok := s.profiles[r.target()][key]
	if !ok {
		return empty{}, nil
	}
	return map[string]string{key: value}, nil
}

func putProfileField(s *Server, r *request) (any, *apiError) {
	key := r.PathValue("key")
	if key != "displayname" && key != "avatar_url" {
		return nil, failure(http.StatusNotFound, "M_UNRECOGNIZED", "Custom profile fields are not supported")
	}
	if err := r.isSelf(); err != nil {
		return nil, err
	}
	var body map[string]string
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	s.setProfile(r.user, key, body[key])
	return empty{}, nil
}

// setProfile stores a field and updates the member event in every joined room. The caller holds the mutex.
func (s *Server) setProfile(user id.UserID, key, value string) {
	profile := s.profiles[user]
	if profile == nil {
		profile = make(map[string]string)
		s.profiles[user] = profile
	}
	if profile[key] == value {
		return
	}
	profile[key] = value
	for _, roomID := range s.roomOrder {
		in := s.rooms[roomID]
		if in.membership(user) != event.MembershipJoin {
			continue
		}
		key := user.String()
		content, err := json.Marshal(memberContent{
			Membership: event.MembershipJoin, DisplayName: profile["displayname"], AvatarURL: profile["avatar_url"],
		})
		if err == nil {
			_, _ = s.post(in, draft{typ: "m.room.member", sender: user, stateKey: &key, content: content}) // joined: cannot be refused
		}
	}
	s.notify()
}

func getPresence(s *Server, r *request) (any, *apiError) {
	presence, ok := s.presence[r.target()]
	if !ok {
		presence.Presence = event.PresenceOffline
	}
	return presence, nil
}

func putPresence(s *Server, r *request) (any, *apiError) {
	if err := r.isSelf(); err != nil {
		return nil, err
	}
	var body Presence
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if body.Presence != event.PresenceOnline && body.Presence != event.PresenceOffline && body.Presence != event.PresenceUnavailable {
		return nil, failure(http.StatusBadRequest, "M_INVALID_PARAM", "Invalid presence state")
	}
	s.presence[r.user] = body
	s.notify()
	return empty{}, nil
}

func (r *request) accountDataKey() accountDataKey {
	return accountDataKey{r.target(), r.room(), r.PathValue("type")}
}

func getAccountData(s *Server, r *request) (any, *apiError) {
	if err := r.isSelf(); err != nil {
		return nil, err
	}
	data, ok := s.accountData[r.accountDataKey()]
	if !ok {
		return nil, notFound("Account data not found")
	}
	return data, nil
}

func putAccountData(s *Server, r *request) (any, *apiError) {
	if err := r.isSelf(); err != nil {
		return nil, err
	}
	if !json.Valid(r.content()) {
		return nil, failure(http.StatusBadRequest, "M_NOT_JSON", "Content not JSON.")
	}
	s.accountData[r.accountDataKey()] = r.content()
	s.notify()
	return empty{}, nil
}

// tags are room account data of the type m.tag.
func (s *Server) tags(r *request) (map[string]json.RawMessage, accountDataKey) {
	key := accountDataKey{r.user, r.room(), "m.tag"}
	var data struct {
		Tags map[string]json.RawMessage `json:"tags"`
	}
	_ = json.Unmarshal(s.accountData[key], &data) // nothing stored: no tags
	if data.Tags == nil {
		data.Tags = make(map[string]json.RawMessage)
	}
	return data.Tags, key
}

func (s *Server) storeTags(key accountDataKey, tags map[string]json.RawMessage) (any, *apiError) {
	raw, err := json.Marshal(map[string]any{"tags": tags})
	if err != nil {
		return nil, failure(http.StatusBadRequest, "M_BAD_JSON", err.Error())
	}
	s.accountData[key] = raw
	s.notify()
	return empty{}, nil
}

func getTags(s *Server, r *request) (any, *apiError) {
	tags, _ := s.tags(r)
	return map[string]any{"tags": tags}, nil
}

func putTag(s *Server, r *request) (any, *apiError) {
	tags, key := s.tags(r)
	tags[r.PathValue("key")] = r.content()
	return s.storeTags(key, tags)
}

func deleteTag(s *Server, r *request) (any, *apiError) {
	tags, key := s.tags(r)
	delete(tags, r.PathValue("key"))
	return s.storeTags(key, tags)
}
