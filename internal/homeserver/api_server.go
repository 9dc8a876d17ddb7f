package homeserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"maunium.net/go/mautrix/id"
)

// serverEndpoints are about the server, accounts and appservices.
var serverEndpoints = []endpoint{
	{"GET", "/client/versions", "versions", true, getVersions},
	{"GET", "/client/v3/capabilities", "capabilities", false, getCapabilities},
	{"GET", "/client/v3/account/whoami", "whoami", false, getWhoami},
	{"POST", "/client/v3/register", "register", true, postRegister},
	{"GET", "/client/v3/login", "login", true, getLogin},
	{"POST", "/client/v3/login", "login", true, postLogin},
	{"POST", "/client/v3/logout", "logout", false, postLogout},
	{"POST", "/client/v1/appservice/{id}/ping", "appservice/ping", false, postPing},
	{"GET", "/client/v3/directory/room/{alias}", "directory", true, getAlias},
	{"PUT", "/client/v3/directory/room/{alias}", "directory", false, putAlias},
	{"DELETE", "/client/v3/directory/room/{alias}", "directory", false, deleteAlias},
}

func getVersions(s *Server, _ *request) (any, *apiError) {
	features := s.opts.UnstableFeatures
	if features == nil {
		features = map[string]bool{}
	}
	return map[string]any{"versions": s.opts.Versions, "unstable_features": features}, nil
}

func getCapabilities(*Server, *request) (any, *apiError) {
	return json.RawMessage(`{"capabilities":{"m.change_password":{"enabled":false},"m.room_versions":{"default":"10","available":{"10":"stable"}}}}`), nil
}

func getWhoami(_ *Server, r *request) (any, *apiError) {
	return map[string]any{"user_id": r.user, "is_guest": false}, nil
}

func postRegister(s *Server, r *request) (any, *apiError) {
	var body struct {
		Type     string `json:"type"`
		Username string `json:"username"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	user := id.NewUserID(body.Username, s.opts.Domain)
	switch {
	case body.Type != "m.login.application_service" || r.as == nil:
		return nil, failure(http.StatusForbidden, "M_FORBIDDEN", "Registration has been disabled")
	case !r.as.owns(user):
		return nil, failure(http.StatusBadRequest, "M_EXCLUSIVE", "Invalid user localpart for this application service.")
	case s.accounts[user]:
		return nil, failure(http.StatusBadRequest, "M_USER_IN_USE", "User ID already taken.")
	}
	s.accounts[user] = true
	s.profiles[user] = map[string]string{"displayname": body.Username}
	return map[string]any{"user_id": user, "home_server": s.opts.Domain}, nil
}

func getLogin(*Server, *request) (any, *apiError) {
	return json.RawMessage(`{"flows":[{"type":"m.login.application_service"}]}`), nil
}

func postLogin(s *Server, r *request) (any, *apiError) {
	var body struct {
		Type       string `json:"type"`
		DeviceID   string `json:"device_id"`
		Identifier struct {
			User string `json:"user"`
		} `json:"identifier"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	user := id.UserID(body.Identifier.User)
	if _, _, err := user.Parse(); err != nil {
		user = id.NewUserID(body.Identifier.User, s.opts.Domain)
	}
	switch {
	case body.Type != "m.login.application_service":
		return nil, failure(http.StatusBadRequest, "M_UNKNOWN", "Unknown login type")
	case r.as == nil:
		return nil, failure(http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token")
	case !r.as.owns(user):
		return nil, failure(http.StatusForbidden, "M_EXCLUSIVE", "Invalid username for this application service.")
	case !s.accounts[user]:
		return nil, failure(http.StatusForbidden, "M_FORBIDDEN", "Unknown user")
	}
	if body.DeviceID == "" {
		body.DeviceID = fmt.Sprintf("DEVICE%d", s.nextID())
	}
	token := fmt.Sprintf("token-%d-%s", s.nextID(), user)
	s.tokens[token], s.keys.logins[token] = user, body.DeviceID
	return map[string]any{"user_id": user, "access_token": token, "device_id": body.DeviceID}, nil
}

func postLogout(s *Server, r *request) (any, *apiError) {
	delete(s.tokens, r.tok)
	return empty{}, nil
}

// postPing calls the appservice back; the call itself is made without the mutex.
func postPing(s *Server, r *request) (any, *apiError) {
	as := r.as
	if as == nil || as.reg.ID != r.PathValue("id") {
		return nil, failure(http.StatusForbidden, "M_FORBIDDEN", "Application services may only ping themselves")
	}
	if as.reg.URL == "" {
		return nil, failure(http.StatusBadRequest, "M_URL_NOT_SET", "The application service has no url")
	}
	body, ctx := r.body, r.Context()
	return func() (any, *apiError) {
		start := time.Now()
		status, err := as.request(ctx, http.MethodPost, "/_matrix/app/v1/ping", body)
		switch {
		case err != nil:
			return nil, failure(http.StatusBadGateway, "M_CONNECTION_FAILED", err.Error())
		case status != http.StatusOK:
			return nil, failure(http.StatusBadGateway, "M_BAD_STATUS", fmt.Sprintf("ping answered %d", status))
		}
		return map[string]int64{"duration_ms": time.Since(start).Milliseconds()}, nil
	}, nil
}

func getAlias(s *Server, r *request) (any, *apiError) {
	roomID, ok := s.aliases[id.RoomAlias(r.PathValue("alias"))]
	if !ok {
		return nil, notFound("Room alias not found")
	}
	return map[string]any{"room_id": roomID, "servers": []string{s.opts.Domain}}, nil
}

func putAlias(s *Server, r *request) (any, *apiError) {
	var body struct {
		RoomID id.RoomID `json:"room_id"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	alias := id.RoomAlias(r.PathValue("alias"))
	if _, taken := s.aliases[alias]; taken {
		return nil, failure(http.StatusConflict, "M_UNKNOWN", "Room alias already exists")
	}
	if s.rooms[body.RoomID] == nil {
		return nil, notFound("Unknown room")
	}
	s.aliases[alias] = body.RoomID
	return empty{}, nil
}

func deleteAlias(s *Server, r *request) (any, *apiError) {
	alias := id.RoomAlias(r.PathValue("alias"))
	if _, ok := s.aliases[alias]; !ok {
		return nil, notFound("Room alias not found")
	}
	delete(s.aliases, alias)
	return empty{}, nil
}
