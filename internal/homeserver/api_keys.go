package homeserver

import (
	"encoding/json"
	"strings"

	"maunium.net/go/mautrix/id"
)

// keyEndpoints are end-to-end encryption's key directory: stored as given, claimed once, never verified.
var keyEndpoints = []endpoint{
	{"POST", "/client/v3/keys/upload", "keys/upload", false, uploadKeys},
	{"POST", "/client/v3/keys/query", "keys/query", false, queryKeys},
	{"POST", "/client/v3/keys/claim", "keys/claim", false, claimKeys},
	{"POST", "/client/v3/keys/device_signing/upload", "keys/device_signing", false, uploadSigningKeys},
	{"POST", "/client/v3/keys/signatures/upload", "keys/signatures", false, func(*Server, *request) (any, *apiError) {
		return json.RawMessage(`{"failures":{}}`), nil
	}},
	{"PUT", "/client/v3/sendToDevice/{type}/{txn}", "sendToDevice", false, sendToDevice},
}

type keyStore struct {
	devices map[id.UserID]map[string]json.RawMessage
	oneTime map[id.UserID]map[string]map[string]json.RawMessage // user, device, key ID
	signing map[string]map[id.UserID]json.RawMessage            // master_key, self_signing_key, user_signing_key
	letters map[deviceKey][]json.RawMessage                     // to-device messages to people's devices
	logins  map[string]string                                   // access token to device
}

func newKeyStore() keyStore {
	return keyStore{
		devices: make(map[id.UserID]map[string]json.RawMessage),
		oneTime: make(map[id.UserID]map[string]map[string]json.RawMessage),
		signing: make(map[string]map[id.UserID]json.RawMessage),
		letters: make(map[deviceKey][]json.RawMessage),
		logins:  make(map[string]string),
	}
}

func uploadKeys(s *Server, r *request) (any, *apiError) {
	var body struct {
		DeviceKeys json.RawMessage            `json:"device_keys"`
		OneTime    map[string]json.RawMessage `json:"one_time_keys"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	var device struct {
		DeviceID string `json:"device_id"`
	}
	_ = json.Unmarshal(body.DeviceKeys, &device) // absent in later uploads
	if device.DeviceID == "" {
		device.DeviceID = s.keys.logins[r.tok]
	} else {
		s.keys.logins[r.tok] = device.DeviceID
		s.devicesChanged(r.user)
		if s.keys.devices[r.user] == nil {
			s.keys.devices[r.user] = make(map[string]json.RawMessage)
		}
		s.keys.devices[r.user][device.DeviceID] = body.DeviceKeys
	}
	if s.keys.oneTime[r.user] == nil {
		s.keys.oneTime[r.user] = make(map[string]map[string]json.RawMessage)
	}
	stored := s.keys.oneTime[r.user][device.DeviceID]
	if stored == nil {
		stored = make(map[string]json.RawMessage)
		s.keys.oneTime[r.user][device.DeviceID] = stored
	}
	for keyID, key := range body.OneTime {
		stored[keyID] = key
	}
	return map[string]any{"one_time_key_counts": s.keys.counts(r.user, device.DeviceID)}, nil
}

func queryKeys(s *Server, r *request) (any, *apiError) {
	var body struct {
		DeviceKeys map[id.UserID][]string `json:"device_keys"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	devices := make(map[id.UserID]map[string]json.RawMessage)
	answer := map[string]any{"device_keys": devices, "failures": empty{}}
	for user := range body.DeviceKeys {
		devices[user] = map[string]json.RawMessage{}
		for device, keys := range s.keys.devices[user] {
			devices[user][device] = keys
		}
		for usage, byUser := range s.keys.signing {
			if key, ok := byUser[user]; ok {
				keys, _ := answer[usage+"s"].(map[id.UserID]json.RawMessage)
				if keys == nil {
					keys = make(map[id.UserID]json.RawMessage)
					answer[usage+"s"] = keys
				}
				keys[user] = key
			}
		}
	}
	return answer, nil
}

func claimKeys(s *Server, r *request) (any, *apiError) {
	var body struct {
		OneTime map[id.UserID]map[string]string `json:"one_time_keys"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	claimed := make(map[id.UserID]map[string]map[string]json.RawMessage)
	for user, devices := range body.OneTime {
		for device, algorithm := range devices {
			stored := s.keys.oneTime[user][device]
			for keyID, key := range stored {
				if !strings.HasPrefix(keyID, algorithm+":") {
					continue
				}
				delete(stored, keyID)
				if claimed[user] == nil {
					claimed[user] = make(map[string]map[string]json.RawMessage)
				}
				claimed[user][device] = map[string]json.RawMessage{keyID: key}
				break
			}
		}
	}
	return map[string]any{"one_time_keys": claimed, "failures": empty{}}, nil
}

func uploadSigningKeys(s *Server, r *request) (any, *apiError) {
	var body map[string]json.RawMessage
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	for _, usage := range []string{"master_key", "self_signing_key", "user_signing_key"} {
		if key, ok := body[usage]; ok {
			if s.keys.signing[usage] == nil {
				s.keys.signing[usage] = make(map[id.UserID]json.RawMessage)
			}
			s.keys.signing[usage][r.user] = key
		}
	}
	return empty{}, nil
}

// sendToDevice passes messages on, to appservices in their transactions and to people's devices into their letter boxes.
func sendToDevice(s *Server, r *request) (any, *apiError) {
	var body struct {
		Messages map[id.UserID]map[string]json.RawMessage `json:"messages"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	key := txnKey{r.URL.Path, r.tok}
	if _, seen := s.txns[key]; seen {
		return empty{}, nil
	}
	s.txns[key] = txnResult{}
	for user, devices := range body.Messages {
		for device, content := range devices {
			s.toDevice(r.user, user, device, r.PathValue("type"), content)
		}
	}
	return empty{}, nil
}

// toDevice queues one to-device message. The caller holds the mutex.
func (s *Server) toDevice(from, to id.UserID, device, typ string, content json.RawMessage) {
	raw, err := json.Marshal(map[string]any{"type": typ, "sender": from, "to_user_id": to, "to_device_id": device, "content": content})
	if err != nil {
		return
	}
	if s.users[to] != nil {
		s.keys.deliver(to, device, raw)
	}
	for _, as := range s.appservices {
		if as.reg.URL != "" && as.owns(to) {
			as.toDevice = append(as.toDevice, raw)
		}
	}
	s.notify()
}
