package world

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"gopkg.in/yaml.v3"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// PushTyping tells the bridge who is typing in a room, as homeservers other than Dendrite do: with a transaction.
func (w *World) PushTyping(ctx context.Context, room id.RoomID, users ...id.UserID) error {
	return w.push(ctx, map[string]any{
		"type": "m.typing", "room_id": room, "content": map[string]any{"user_ids": append([]id.UserID{}, users...)},
	})
}

// PushPresence tells the bridge a user's presence, in the same way.
func (w *World) PushPresence(ctx context.Context, user id.UserID, state event.Presence, text string) error {
	return w.push(ctx, map[string]any{
		"type": "m.presence", "sender": user, "content": map[string]any{"presence": state, "status_msg": text},
	})
}

// push hands one ephemeral event to the bridge with the homeserver's token.
func (w *World) push(ctx context.Context, ephemeral map[string]any) error {
	data, err := os.ReadFile(w.Bridge.RegistrationFile())
	if err != nil {
		return err
	}
	var registration struct {
		URL   string `yaml:"url"`
		Token string `yaml:"hs_token"`
	}
	if err = yaml.Unmarshal(data, &registration); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"events": []any{}, "ephemeral": []any{ephemeral}})
	if err != nil {
		return err
	}
	address, err := url.JoinPath(registration.URL, "_matrix/app/v1/transactions", rand.Text())
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+registration.Token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return fmt.Errorf("the bridge answered a transaction with %s", answer.Status)
	}
	return answer.Body.Close()
}
